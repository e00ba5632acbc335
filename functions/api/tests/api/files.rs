//! `/kojifiles`: ranges, conditions, links, and where tasks' files are.

use axum::{body::Body, http::Method};
use sqlx::PgPool;
use toji_protocol::{id::TaskId, object_key};

use crate::app::App;

const RPM: &str = "packages/foo+bar/1~rc^1/1/x86_64/foo+bar-1~rc^1-1.x86_64.rpm";

async fn put(app: &App, key: &str, body: &'static [u8]) {
    app.hub.store.put(key, body, "application/octet-stream").await.unwrap();
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn names_and_links(pool: PgPool) {
    let app = App::new(pool).await;
    put(&app, RPM, b"0123456789").await;
    let encoded = RPM.replace('+', "%2B").replace('~', "%7E").replace('^', "%5E");
    for path in [
        RPM.to_owned(),
        encoded.clone(),
        format!("repos/f42/17/x86_64/toplink/{RPM}"),
        format!("repos/f42/latest/x86_64/toplink/{encoded}"),
    ] {
        let answer = app.get(&format!("/kojifiles/{path}"), &[]).await;
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, "0123456789"), "{path}");
        assert_eq!(answer.header("content-type"), "application/x-rpm");
        assert_eq!(answer.header("content-length"), "10");
        assert_eq!(answer.header("accept-ranges"), "bytes");
    }
    put(&app, "cache/secret", b"x").await;
    for path in ["packages/foo bar", "packages", "cache/secret", "repos/f42/17/x86_64/toplink/cache/secret"] {
        let answer = app.get(&format!("/kojifiles/{}", path.replace(' ', "%20")), &[]).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.header("content-type").starts_with("text/plain"));
    }
    let folder = app.get("/kojifiles/packages/foo+bar/", &[]).await;
    assert!(folder.text().contains(r#"<a href="1~rc%5E1/">1~rc^1/</a>"#), "{}", folder.text());
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn ranges_and_conditions(pool: PgPool) {
    let app = App::new(pool).await;
    put(&app, RPM, b"0123456789").await;
    let path = format!("/kojifiles/{RPM}");
    let whole = app.get(&path, &[]).await;
    let (etag, modified) = (whole.header("etag").to_owned(), whole.header("last-modified").to_owned());
    assert!(etag.len() > 2 && modified.ends_with(" GMT"));

    let part = app.get(&path, &[("range", "bytes=2-4")]).await;
    assert_eq!((part.status.as_u16(), part.text().as_str()), (206, "234"));
    assert_eq!((part.header("content-range"), part.header("content-length")), ("bytes 2-4/10", "3"));
    assert_eq!(app.get(&path, &[("range", "bytes=-2")]).await.text(), "89");
    assert_eq!(app.get(&path, &[("range", "bytes=7-")]).await.text(), "789");
    let behind = app.get(&path, &[("range", "bytes=10-")]).await;
    assert_eq!((behind.status.as_u16(), behind.header("content-range")), (416, "bytes */10"));
    let same = app.get(&path, &[("range", "bytes=2-4"), ("if-range", &etag)]).await;
    assert_eq!(same.status, 206);
    let changed = app.get(&path, &[("range", "bytes=2-4"), ("if-range", "\"other\"")]).await;
    assert_eq!((changed.status.as_u16(), changed.body.len()), (200, 10));

    for method in [Method::GET, Method::HEAD] {
        let ask = async |headers: &[(&str, &str)]| {
            let answer = app.request(method.clone(), &path, headers, Body::empty()).await;
            assert_eq!(answer.header("etag"), etag);
            (answer.status.as_u16(), answer.header("content-length").to_owned())
        };
        assert_eq!(ask(&[]).await, (200, "10".to_owned()));
        assert_eq!(ask(&[("if-none-match", &etag)]).await.0, 304);
        assert_eq!(ask(&[("if-none-match", "\"other\"")]).await.0, 200);
        assert_eq!(ask(&[("if-none-match", "\"other\""), ("if-modified-since", &modified)]).await.0, 200);
    }
    assert_eq!(app.get(&path, &[("if-modified-since", &modified)]).await.status, 304);
    let before = app.get(&path, &[("if-modified-since", "Mon, 01 Jan 2024 00:00:00 GMT")]).await;
    assert_eq!(before.status, 200);
    let head = app.request(Method::HEAD, "/kojifiles/packages/none", &[], Body::empty()).await;
    assert_eq!(head.status, 404);
}

/// A task with a file that two attempts have made, and a third is making.
async fn task(app: &App) -> TaskId {
    let pool = &app.hub.pool;
    let insert = "INSERT INTO task (method, coordinated, request, owner, channel_id, arch, priority, weight, create_time, free_since)
        SELECT 'buildArch', false, '', users.id, 1, 'noarch', 20, 1, now(), now() FROM users LIMIT 1 RETURNING id";
    let id: i64 = sqlx::query_scalar(insert).fetch_one(pool).await.unwrap();
    for (attempt, is_done) in [(1, true), (2, true), (3, false)] {
        let insert = "INSERT INTO task_file (task_id, attempt, name, size, sha256, upload_id, create_time, done_time)
            VALUES ($1, $2, 'a+b.rpm', 1, '', '', now(), CASE WHEN $3 THEN now() END)";
        sqlx::query(insert).bind(id).bind(attempt).bind(is_done).execute(pool).await.unwrap();
    }
    TaskId(id)
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn files_of_tasks(pool: PgPool) {
    let app = App::new(pool).await;
    let task = task(&app).await;
    let key = object_key::attempt_file(task, 2, "a+b.rpm");
    put(&app, &key, b"second").await;
    let path = format!("/kojifiles/work/{}/a+b.rpm", object_key::task_dir(task));
    let answer = app.get(&path, &[]).await;
    let to = format!("/kojifiles/{}", key.replace('+', "%2B"));
    assert_eq!((answer.status.as_u16(), answer.header("location")), (302, to.as_str()));
    assert_eq!(app.get(&to, &[]).await.text(), "second");
    let missing = app.get(&path.replace("a+b", "c"), &[]).await;
    assert_eq!(missing.status, 404);

    sqlx::query("UPDATE task_file SET moved_to = 'packages/a+b.rpm' WHERE attempt = 2")
        .execute(&app.hub.pool)
        .await
        .unwrap();
    assert_eq!(app.get(&path, &[]).await.header("location"), "/kojifiles/packages/a%2Bb.rpm");
}

#[sqlx::test(migrator = "toji_hub::MIGRATIONS")]
async fn behind_a_front_door_s3_serves_the_files(pool: PgPool) {
    let mut app = App::new(pool).await;
    app.router = toji_api::router(app.hub.clone());
    let task = task(&app).await;
    let path = format!("/kojifiles/work/{}/a+b.rpm", object_key::task_dir(task));
    let answer = app.get(&path, &[]).await;
    assert_eq!(answer.status, 302);
    assert!(answer.header("location").contains("X-Amz-Signature="), "{}", answer.header("location"));
    assert_eq!(app.get(&format!("/kojifiles/{RPM}"), &[]).await.status, 404);
}
