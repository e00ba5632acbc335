//! What no import takes: nothing of it is recorded, and the name is free at once.

use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::{
    builder::{self, Trick},
    parents::Farm,
    world::{seconds, start},
};

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn files_that_do_not_belong(options: PgPoolOptions, connect: PgConnectOptions) {
    let farm = Farm::new(options, connect).await;
    for (trick, reason) in [
        (Trick::MissingUpload, "but has not uploaded it"),
        (Trick::WrongSource, "was made of other-1.0-1.src.rpm, but the build is hello-1.0-1"),
        (Trick::WrongName, "bad filename: hello-1.1-1.x86_64.rpm (expected hello-1.0-1.x86_64.rpm)"),
        (Trick::NoRpm, "is no RPM"),
        (Trick::TwoSources, "has one source RPM, this one 2"),
    ] {
        let task = farm.build(start()).await;
        farm.finish(2, trick, start()).await;
        farm.is_nothing(task).await;
        let error = farm.world.attempt("getTaskResult", json!({"taskId": task}), start()).await.unwrap_err();
        assert!(error.to_string().contains(reason), "{trick:?}: {error}");
    }
    let task = farm.build(start()).await;
    farm.finish(2, Trick::None, start()).await;
    farm.is_whole(task).await;
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn a_lost_attempts_files_are_not_the_next_ones(options: PgPoolOptions, connect: PgConnectOptions) {
    let farm = Farm::new(options, connect).await;
    let task = farm.build(start()).await;
    let arches = farm.until_arches(start()).await;
    // the first attempts upload everything, and are lost
    for held in &arches {
        builder::work(&farm.world, &farm.host, held, &farm.hello, Trick::None, start()).await;
    }
    for later in [0, 15, 31] {
        farm.world.rescue(start() + seconds(later)).await;
    }
    // the next ones name what they have not uploaded
    farm.finish(1, Trick::MissingUpload, start() + seconds(32)).await;
    farm.is_nothing(task).await;
}
