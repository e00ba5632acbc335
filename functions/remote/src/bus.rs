//! EventBridge: a message's address is its detail type, and its source is `toji`.

use aws_sdk_eventbridge::{Client, error::DisplayErrorContext, types::PutEventsRequestEntry};
use toji_hub::callback::remote::{RemoteError, Sent};

pub(crate) async fn put(bus: &Client, name: &str, sent: Sent) -> Result<Vec<u8>, RemoteError> {
    let entry = PutEventsRequestEntry::builder()
        .event_bus_name(name)
        .source("toji")
        .detail_type(sent.topic)
        .detail(sent.body)
        .build();
    let answer = bus.put_events().entries(entry).send().await;
    let answer = answer.map_err(|error| RemoteError::Away(DisplayErrorContext(&error).to_string()))?;
    match answer.entries().iter().find_map(|entry| entry.error_code()) {
        None => Ok(Vec::new()),
        Some(code) => Err(RemoteError::Refused(format!("the event bus {name} does not take it: {code}"))),
    }
}
