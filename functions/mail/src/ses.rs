//! Amazon's mail service, by its API.

use aws_sdk_sesv2::{
    Client,
    primitives::Blob,
    types::{Destination, EmailContent, RawMessage},
};
use lettre::Message;

use crate::PostmanError;

pub(crate) async fn send(ses: &Client, message: &Message) -> Result<(), PostmanError> {
    let cannot = |error| PostmanError::Ses(Box::new(error), true);
    let raw = RawMessage::builder().data(Blob::new(message.formatted())).build().map_err(cannot)?;
    let to = message.envelope().to().iter().map(ToString::to_string).collect();
    let sent = ses
        .send_email()
        .content(EmailContent::builder().raw(raw).build())
        .destination(Destination::builder().set_to_addresses(Some(to)).build())
        .send()
        .await;
    sent.map(|_| ()).map_err(|error| {
        let refused = error.as_service_error().is_some_and(|error| {
            error.is_message_rejected()
                || error.is_bad_request_exception()
                || error.is_mail_from_domain_not_verified_exception()
        });
        PostmanError::Ses(Box::new(error), refused)
    })
}
