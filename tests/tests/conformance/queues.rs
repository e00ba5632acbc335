//! Queues and their messages.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::operation::receive_message::builders::ReceiveMessageFluentBuilder;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageAttributeValue,
    MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};

use crate::target::{Target, code, md5};

/// What the older protocol calls a missing queue, which is what clients show.
const NO_QUEUE: &str = "AWS.SimpleQueueService.NonExistentQueue";

fn receive(target: &Target, url: &str) -> ReceiveMessageFluentBuilder {
    target.sqs.receive_message().queue_url(url)
}

/// The messages that are there now, or come within the time.
pub(crate) async fn take(target: &Target, url: &str, wait: i32) -> Vec<Message> {
    let receive = receive(target, url).wait_time_seconds(wait).max_number_of_messages(10);
    let receive = receive.message_system_attribute_names(MessageSystemAttributeName::All);
    receive.send().await.unwrap().messages.unwrap_or_default()
}

/// The message that must be there.
pub(crate) async fn take_one(target: &Target, url: &str, wait: i32) -> Message {
    let mut taken = take(target, url, wait).await;
    assert_eq!(taken.len(), 1, "{taken:?}");
    taken.remove(0)
}

pub(crate) async fn send(target: &Target, url: &str, body: &str) {
    target.sqs.send_message().queue_url(url).message_body(body).send().await.unwrap();
}

fn receives(message: &Message) -> &str {
    &message.attributes().unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount]
}

fn handle(message: &Message) -> &str {
    message.receipt_handle().unwrap()
}

pub(crate) async fn a_queue_is_made_once(target: &Target) {
    let sqs = &target.sqs;
    let name = target.queue_name("tasks");
    let create = |timeout: &str| {
        let create = sqs.create_queue().queue_name(&name);
        create.attributes(QueueAttributeName::VisibilityTimeout, timeout).send()
    };
    let url = create("7").await.unwrap().queue_url.unwrap();
    assert_eq!(create("7").await.unwrap().queue_url.as_deref(), Some(url.as_str()));
    assert_eq!(code!(create("8").await), "QueueAlreadyExists");
    let found = sqs.get_queue_url().queue_name(&name).send().await.unwrap();
    assert_eq!(found.queue_url(), Some(url.as_str()));
    let listed = sqs.list_queues().queue_name_prefix(&name).send().await.unwrap();
    assert_eq!(listed.queue_urls(), std::slice::from_ref(&url));
    sqs.delete_queue().queue_url(&url).send().await.unwrap();
    assert_eq!(code!(sqs.get_queue_url().queue_name(&name).send().await), NO_QUEUE);
    assert_eq!(code!(sqs.create_queue().queue_name("a b").send().await), "InvalidParameterValue");
}

pub(crate) async fn a_missing_queue_is_told(target: &Target) {
    let url = format!("{}/000000000000/{}", target.sqs_url, target.queue_name("absent"));
    let sent = target.sqs.send_message().queue_url(&url).message_body("x").send().await;
    assert_eq!(sent.as_ref().unwrap_err().code(), Some(NO_QUEUE));
    assert!(sent.unwrap_err().into_service_error().is_queue_does_not_exist());
    let received = receive(target, &url).wait_time_seconds(20).send().await;
    assert!(received.unwrap_err().into_service_error().is_queue_does_not_exist());
}

pub(crate) async fn a_message_keeps_what_it_is_given(target: &Target) {
    let url = target.queue().await;
    let text = |kind: &str, value: &str| {
        let text = MessageAttributeValue::builder().data_type(kind);
        text.string_value(value).build().unwrap()
    };
    let binary = MessageAttributeValue::builder().data_type("Binary");
    let binary = binary.binary_value(Blob::new([0, 255])).build().unwrap();
    let body = "{\"task\": 7}\n麹🍶";
    let sent = target.sqs.send_message().queue_url(&url).message_body(body);
    let sent = sent.message_attributes("kind", text("String", "bell"));
    let sent = sent.message_attributes("count", text("Number", "3"));
    let sent = sent.message_attributes("raw", binary.clone()).send().await.unwrap();
    assert_eq!(sent.md5_of_message_body(), Some(md5(body.as_bytes()).as_str()));

    let receive = receive(target, &url).message_attribute_names("All");
    let receive = receive.message_system_attribute_names(MessageSystemAttributeName::All);
    let message = receive.send().await.unwrap().messages.unwrap().remove(0);
    assert_eq!(message.body(), Some(body));
    assert_eq!(message.message_id(), sent.message_id());
    assert_eq!(message.md5_of_body(), sent.md5_of_message_body());
    assert_eq!(message.md5_of_message_attributes(), sent.md5_of_message_attributes());
    // Names, types and values in the order of the names, each behind its length.
    let mut expected = Vec::new();
    for (name, kind, tag, value) in
        [("count", "Number", 1, &b"3"[..]), ("kind", "String", 1, b"bell"), ("raw", "Binary", 2, &[0, 255])]
    {
        for field in [name.as_bytes(), kind.as_bytes()] {
            expected.extend((field.len() as u32).to_be_bytes());
            expected.extend(field);
        }
        expected.push(tag);
        expected.extend((value.len() as u32).to_be_bytes());
        expected.extend(value);
    }
    assert_eq!(message.md5_of_message_attributes(), Some(md5(&expected).as_str()));
    let attributes = message.message_attributes().unwrap();
    assert_eq!((attributes.len(), &attributes["raw"]), (3, &binary));
    let facts = message.attributes().unwrap();
    let sent_at: u64 = facts[&MessageSystemAttributeName::SentTimestamp].parse().unwrap();
    assert!(sent_at > 1_600_000_000_000, "milliseconds");
    assert_eq!(receives(&message), "1");

    target.sqs.delete_message().queue_url(&url).receipt_handle(handle(&message)).send().await.unwrap();
    // Deleting again is no error.
    target.sqs.delete_message().queue_url(&url).receipt_handle(handle(&message)).send().await.unwrap();
    assert!(take(target, &url, 0).await.is_empty());
}

pub(crate) async fn a_waiting_receiver_is_woken(target: &Target) {
    let url = target.queue().await;
    let mut delays = Vec::new();
    for round in 0..5 {
        let receive = receive(target, &url).wait_time_seconds(20).send();
        let waiting = tokio::spawn(async move {
            let message = receive.await.unwrap().messages.unwrap().remove(0);
            (Instant::now(), message)
        });
        // Until it waits; if it does not yet, the case still holds.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let begun = Instant::now();
        send(target, &url, &round.to_string()).await;
        let (at, message) = waiting.await.unwrap();
        delays.push(at - begun);
        assert_eq!(message.body(), Some(round.to_string().as_str()));
        target.sqs.delete_message().queue_url(&url).receipt_handle(handle(&message)).send().await.unwrap();
    }
    delays.sort();
    eprintln!("from the send's start to the receiver's answer: {delays:?}");
    assert!(delays[2] < Duration::from_secs(2), "{delays:?}");
}

pub(crate) async fn waiting_for_nothing_ends(target: &Target) {
    let url = target.queue().await;
    let begun = Instant::now();
    assert!(take(target, &url, 1).await.is_empty());
    let waited = begun.elapsed();
    assert!((900..5_000).contains(&waited.as_millis()), "{waited:?}");
}

pub(crate) async fn a_received_message_is_hidden(target: &Target) {
    let url = target.queue().await;
    send(target, &url, "x").await;
    let hidden = receive(target, &url).visibility_timeout(2).send().await.unwrap();
    let first = hidden.messages.unwrap().remove(0);
    assert!(take(target, &url, 0).await.is_empty());
    // The receiver waits before the message is visible, and gets it when it is.
    let again = take_one(target, &url, 20).await;
    assert_eq!((again.message_id(), receives(&again)), (first.message_id(), "2"));
    let change = target.sqs.change_message_visibility().queue_url(&url).receipt_handle(handle(&again));
    change.visibility_timeout(600).send().await.unwrap();
    assert!(take(target, &url, 1).await.is_empty());
}

pub(crate) async fn a_message_can_be_put_back(target: &Target) {
    let url = target.queue().await;
    send(target, &url, "x").await;
    let message = take_one(target, &url, 0).await;
    let put_back = || {
        let change = target.sqs.change_message_visibility().queue_url(&url);
        change.receipt_handle(handle(&message)).visibility_timeout(0).send()
    };
    let waiting = take_one(target, &url, 20);
    let (_, again) = tokio::join!(async { put_back().await.unwrap() }, waiting);
    assert_eq!(receives(&again), "2");
    target.sqs.delete_message().queue_url(&url).receipt_handle(handle(&again)).send().await.unwrap();
    assert_eq!(code!(put_back().await), "InvalidParameterValue", "it is gone");
}

pub(crate) async fn a_delayed_message_comes_later(target: &Target) {
    let url = target.queue().await;
    let begun = Instant::now();
    let sent = target.sqs.send_message().queue_url(&url).message_body("x").delay_seconds(2);
    sent.send().await.unwrap();
    assert!(take(target, &url, 0).await.is_empty());
    take_one(target, &url, 20).await;
    let waited = begun.elapsed();
    // LocalStack rounds.
    assert!((900..10_000).contains(&waited.as_millis()), "{waited:?}");
    if target.is_ours() {
        assert!(waited >= Duration::from_secs(2), "{waited:?}");
    }
}

fn entry(id: &str, body: &str) -> SendMessageBatchRequestEntry {
    SendMessageBatchRequestEntry::builder().id(id).message_body(body).build().unwrap()
}

pub(crate) async fn batches_have_limits(target: &Target) {
    let url = target.queue().await;
    let batch = |entries: Vec<SendMessageBatchRequestEntry>| {
        target.sqs.send_message_batch().queue_url(&url).set_entries(Some(entries)).send()
    };
    let many = (0..11).map(|i| entry(&i.to_string(), "x")).collect();
    let prefix = "AWS.SimpleQueueService.";
    assert_eq!(code!(batch(many).await), format!("{prefix}TooManyEntriesInBatchRequest"));
    let twice = vec![entry("a", "x"), entry("a", "y")];
    assert_eq!(code!(batch(twice).await), format!("{prefix}BatchEntryIdsNotDistinct"));
    assert_eq!(code!(batch(vec![entry("a b", "x")]).await), format!("{prefix}InvalidBatchEntryId"));
    assert_eq!(code!(batch(vec![]).await), format!("{prefix}EmptyBatchRequest"));
    let half = "x".repeat(600 << 10);
    let long = vec![entry("a", &half), entry("b", &half)];
    assert_eq!(code!(batch(long).await), format!("{prefix}BatchRequestTooLong"));
    assert!(take(target, &url, 0).await.is_empty());
}

pub(crate) async fn batches_work(target: &Target) {
    let url = target.queue().await;
    let sqs = &target.sqs;
    let entries = (0..4).map(|i| entry(&format!("m{i}"), &format!("body {i}")));
    let entries = entries.collect();
    let sent = sqs.send_message_batch().queue_url(&url).set_entries(Some(entries)).send().await.unwrap();
    assert_eq!(sent.successful().len(), 4);
    assert_eq!(sent.successful()[0].md5_of_message_body(), md5(b"body 0"));

    let mut taken = Vec::new();
    while taken.len() < 4 {
        taken.extend(take(target, &url, 5).await);
    }
    let entries = taken.iter().enumerate().map(|(i, message)| {
        let change = ChangeMessageVisibilityBatchRequestEntry::builder().id(i.to_string());
        change.receipt_handle(handle(message)).visibility_timeout(0).build().unwrap()
    });
    let change = sqs.change_message_visibility_batch().queue_url(&url);
    let changed = change.set_entries(Some(entries.collect())).send().await.unwrap();
    assert_eq!(changed.successful().len(), 4);
    let mut again = HashMap::new();
    while again.len() < 4 {
        let more = take(target, &url, 5).await;
        again.extend(more.into_iter().map(|message| (message.message_id.clone(), message)));
    }
    assert!(again.values().all(|message| receives(message) == "2"));
    let entry = |id: &str, handle: &str| {
        let delete = DeleteMessageBatchRequestEntry::builder().id(id);
        delete.receipt_handle(handle).build().unwrap()
    };
    let entries = again.values().enumerate().map(|(i, message)| entry(&i.to_string(), handle(message)));
    let entries = entries.chain([entry("bad", "no handle")]).collect();
    let deleted = sqs.delete_message_batch().queue_url(&url).set_entries(Some(entries)).send().await.unwrap();
    assert_eq!(deleted.successful().len(), 4);
    assert_eq!(deleted.failed()[0].code(), "ReceiptHandleIsInvalid");
}

pub(crate) async fn attributes_tell(target: &Target) {
    let url = target.queue().await;
    let sqs = &target.sqs;
    for body in ["1", "2", "3"] {
        send(target, &url, body).await;
    }
    sqs.send_message().queue_url(&url).message_body("later").delay_seconds(600).send().await.unwrap();
    receive(target, &url).send().await.unwrap();
    let set = sqs.set_queue_attributes().queue_url(&url);
    set.attributes(QueueAttributeName::VisibilityTimeout, "77").send().await.unwrap();

    let all = sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::All);
    let all = all.send().await.unwrap().attributes.unwrap();
    let value = |name: QueueAttributeName| all[&name].as_str();
    assert_eq!(value(QueueAttributeName::ApproximateNumberOfMessages), "2");
    assert_eq!(value(QueueAttributeName::ApproximateNumberOfMessagesNotVisible), "1");
    assert_eq!(value(QueueAttributeName::ApproximateNumberOfMessagesDelayed), "1");
    assert_eq!(value(QueueAttributeName::VisibilityTimeout), "77");
    assert_eq!(value(QueueAttributeName::MessageRetentionPeriod), "345600");
    assert!(value(QueueAttributeName::QueueArn).starts_with("arn:aws:sqs:us-east-1:000000000000:queue-"));

    let one = sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::DelaySeconds);
    let one = one.send().await.unwrap().attributes.unwrap();
    assert_eq!(one, HashMap::from([(QueueAttributeName::DelaySeconds, "0".to_owned())]));
    let bad = sqs.get_queue_attributes().queue_url(&url).attribute_names("Colour".into()).send().await;
    assert_eq!(code!(bad), "InvalidAttributeName");

    sqs.tag_queue().queue_url(&url).tags("a", "1").tags("b", "2").send().await.unwrap();
    sqs.untag_queue().queue_url(&url).tag_keys("a").send().await.unwrap();
    let tags = sqs.list_queue_tags().queue_url(&url).send().await.unwrap().tags.unwrap();
    assert_eq!(tags, HashMap::from([("b".to_owned(), "2".to_owned())]));
}

pub(crate) async fn dead_letters_are_moved(target: &Target) {
    let sqs = &target.sqs;
    let dead = sqs.create_queue().queue_name(target.queue_name("dead")).send().await.unwrap();
    let dead = dead.queue_url.unwrap();
    let arn = sqs.get_queue_attributes().queue_url(&dead).attribute_names(QueueAttributeName::QueueArn);
    let arn = arn.send().await.unwrap().attributes.unwrap().remove(&QueueAttributeName::QueueArn).unwrap();
    let policy = format!("{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":\"2\"}}");
    let create = sqs.create_queue().queue_name(target.queue_name("alive"));
    let alive = create.attributes(QueueAttributeName::RedrivePolicy, policy).send().await.unwrap();
    let alive = alive.queue_url.unwrap();
    send(target, &alive, "poison").await;
    for expected in ["1", "2"] {
        let message = take_one(target, &alive, 5).await;
        assert_eq!(receives(&message), expected);
        let change = sqs.change_message_visibility().queue_url(&alive).receipt_handle(handle(&message));
        change.visibility_timeout(0).send().await.unwrap();
    }
    assert!(take(target, &alive, 1).await.is_empty());
    assert_eq!(take_one(target, &dead, 5).await.body(), Some("poison"));
}

pub(crate) async fn bad_requests_are_refused(target: &Target) {
    let url = target.queue().await;
    let sqs = &target.sqs;
    let most = receive(target, &url).max_number_of_messages(11).send().await;
    assert_eq!(code!(most), "InvalidParameterValue");
    let send = |body: String| sqs.send_message().queue_url(&url).message_body(body);
    assert_eq!(code!(send("a\u{0}".into()).send().await), "InvalidMessageContents");
    assert_eq!(code!(send("x".repeat((1 << 20) + 1)).send().await), "InvalidParameterValue");
    let delete = sqs.delete_message().queue_url(&url).receipt_handle("no handle").send().await;
    assert_eq!(code!(delete), "ReceiptHandleIsInvalid");
    let change = sqs.change_message_visibility().queue_url(&url).receipt_handle("no handle");
    assert_eq!(code!(change.visibility_timeout(1).send().await), "ReceiptHandleIsInvalid");
    assert!(take(target, &url, 0).await.is_empty());
}

pub(crate) async fn limits_are_kept(target: &Target) {
    let url = target.queue().await;
    let sqs = &target.sqs;
    let send = |body: String| sqs.send_message().queue_url(&url).message_body(body);
    let wait = receive(target, &url).wait_time_seconds(21).send().await;
    assert_eq!(code!(wait), "InvalidParameterValue");
    assert_eq!(code!(send("x".into()).delay_seconds(901).send().await), "InvalidParameterValue");
    let bad = sqs.set_queue_attributes().queue_url(&url);
    let bad = bad.attributes(QueueAttributeName::VisibilityTimeout, "43201").send().await;
    assert_eq!(code!(bad), "InvalidAttributeValue");
    let late = SendMessageBatchRequestEntry::builder().id("late").message_body("x").delay_seconds(901);
    let entries = vec![entry("good", "x"), late.build().unwrap()];
    let sent = sqs.send_message_batch().queue_url(&url).set_entries(Some(entries)).send().await.unwrap();
    assert_eq!((sent.successful().len(), sent.successful()[0].id()), (1, "good"));
    let failed = &sent.failed()[0];
    assert_eq!((failed.id(), failed.code(), failed.sender_fault()), ("late", "InvalidParameterValue", true));
}

pub(crate) async fn a_queue_can_be_purged(target: &Target) {
    let url = target.queue().await;
    for body in ["1", "2"] {
        send(target, &url, body).await;
    }
    let taken = receive(target, &url).send().await.unwrap().messages.unwrap();
    assert_eq!(taken.len(), 1);
    target.sqs.purge_queue().queue_url(&url).send().await.unwrap();
    assert!(take(target, &url, 1).await.is_empty());
    send(target, &url, "3").await;
    assert_eq!(take_one(target, &url, 5).await.body(), Some("3"));
}

pub(crate) async fn each_message_goes_to_one_receiver(target: &Target) {
    const MESSAGES: usize = 100;
    let url = target.queue().await;
    let mut receivers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (sqs, url) = (target.sqs.clone(), url.clone());
        receivers.spawn(async move {
            let mut bodies = Vec::new();
            loop {
                let receive = sqs.receive_message().queue_url(&url).wait_time_seconds(2);
                let received = receive.max_number_of_messages(3).send().await.unwrap();
                let messages = received.messages.unwrap_or_default();
                if messages.is_empty() {
                    return bodies;
                }
                for message in messages {
                    let delete = sqs.delete_message().queue_url(&url);
                    delete.receipt_handle(handle(&message)).send().await.unwrap();
                    bodies.extend(message.body);
                }
            }
        });
    }
    let sends = (0..MESSAGES).map(|i| {
        let (sqs, url) = (target.sqs.clone(), url.clone());
        tokio::spawn(async move {
            let send = sqs.send_message().queue_url(url).message_body(i.to_string());
            send.send().await.unwrap();
        })
    });
    for send in sends.collect::<Vec<_>>() {
        send.await.unwrap();
    }
    let all: Vec<String> = receivers.join_all().await.into_iter().flatten().collect();
    let different: HashSet<&String> = all.iter().collect();
    assert_eq!((all.len(), different.len()), (MESSAGES, MESSAGES));
}
