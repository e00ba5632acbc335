//! What our servers refuse that LocalStack does not.

use std::time::Duration;

use aws_credential_types::Credentials;
use chrono::{TimeDelta, Utc};
use toji_local::credentials::Access;

use crate::queues::{send, take_one};
use crate::target::{KEY, Target, code, s3_client, sqs_client};

/// A builder's keys, good for queues that begin with `own-`.
fn builder(target: &Target, lifetime: TimeDelta) -> Credentials {
    let store = target.credentials.as_ref().unwrap();
    let access = Access::Queues(vec!["own-*".into()]);
    store.add("builder", "s", Some("token"), Some(Utc::now() + lifetime), access);
    Credentials::from_keys("builder", "s", Some("token".into()))
}

pub(crate) async fn a_builder_sees_its_own_queues_only(target: &Target) {
    let create = async |name: &str| {
        let made = target.sqs.create_queue().queue_name(target.queue_name(name)).send().await;
        made.unwrap().queue_url.unwrap()
    };
    let (own, other) = (create("own").await, create("other").await);
    send(target, &own, "x").await;
    let keys = builder(target, TimeDelta::minutes(1));
    let sqs = sqs_client(&target.sqs_url, keys.clone());
    let message = sqs.receive_message().queue_url(&own).send().await.unwrap().messages.unwrap().remove(0);
    let handle = message.receipt_handle().unwrap();
    let change = sqs.change_message_visibility().queue_url(&own).receipt_handle(handle);
    change.visibility_timeout(60).send().await.unwrap();
    sqs.delete_message().queue_url(&own).receipt_handle(handle).send().await.unwrap();
    sqs.get_queue_url().queue_name(target.queue_name("own")).send().await.unwrap();

    assert_eq!(code!(sqs.receive_message().queue_url(&other).send().await), "AccessDenied");
    assert_eq!(code!(sqs.delete_message().queue_url(&other).receipt_handle(handle).send().await), "AccessDenied");
    assert_eq!(code!(sqs.get_queue_url().queue_name("absent").send().await), "AccessDenied");
    assert_eq!(code!(sqs.send_message().queue_url(&own).message_body("x").send().await), "AccessDenied");
    assert_eq!(code!(sqs.purge_queue().queue_url(&own).send().await), "AccessDenied");
    assert_eq!(code!(sqs.list_queues().send().await), "AccessDenied");
    let s3 = s3_client(&target.s3_url, keys);
    assert_eq!(code!(s3.list_objects_v2().bucket(&target.bucket).send().await), "AccessDenied");
}

pub(crate) async fn keys_end(target: &Target) {
    let url = target.queue().await;
    let receive = async |keys: Credentials| {
        let client = sqs_client(&target.sqs_url, keys);
        client.receive_message().queue_url(&url).send().await
    };
    let expired = builder(target, -TimeDelta::seconds(1));
    assert_eq!(code!(receive(expired).await), "ExpiredToken");
    builder(target, TimeDelta::minutes(1));
    let no_token = Credentials::from_keys("builder", "s", None);
    assert_eq!(code!(receive(no_token).await), "InvalidClientTokenId");
    target.credentials.as_ref().unwrap().remove("builder");
    let removed = Credentials::from_keys("builder", "s", Some("token".into()));
    assert_eq!(code!(receive(removed).await), "InvalidClientTokenId");
    let wrong = Credentials::from_keys(KEY, "wrong", None);
    assert_eq!(code!(receive(wrong).await), "SignatureDoesNotMatch");
    let unsigned = target.http.post(&target.sqs_url).header("x-amz-target", "AmazonSQS.ListQueues");
    assert_eq!(unsigned.body("{}").send().await.unwrap().status().as_u16(), 403);
}

pub(crate) async fn an_old_receipt_deletes_nothing(target: &Target) {
    let url = target.queue().await;
    send(target, &url, "x").await;
    let receive = target.sqs.receive_message().queue_url(&url).visibility_timeout(1);
    let old = receive.send().await.unwrap().messages.unwrap().remove(0);
    let new = take_one(target, &url, 20).await;
    let delete = |handle: &str| target.sqs.delete_message().queue_url(&url).receipt_handle(handle).send();
    delete(old.receipt_handle().unwrap()).await.unwrap();
    let change = target.sqs.change_message_visibility().queue_url(&url);
    let late = change.clone().receipt_handle(old.receipt_handle().unwrap()).visibility_timeout(0);
    assert_eq!(code!(late.send().await), "AWS.SimpleQueueService.MessageNotInflight");
    let change = change.receipt_handle(new.receipt_handle().unwrap()).visibility_timeout(0);
    change.send().await.unwrap();
    let again = tokio::time::timeout(Duration::from_secs(5), take_one(target, &url, 4)).await.unwrap();
    delete(again.receipt_handle().unwrap()).await.unwrap();
}
