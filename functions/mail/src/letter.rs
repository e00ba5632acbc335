//! From the hub's letter to a message as mail servers want it.

use lettre::{
    Message,
    message::{
        Mailbox, Mailboxes,
        header::{ContentType, HeaderName, HeaderValue, To},
    },
};
use toji_hub::{config::MailConfig, notification::Mail};

use crate::postman::PostmanError;

/// The addresses that are ones. The others are logged: nobody else is to go without a letter for them.
pub(crate) fn receivers(mail: &Mail) -> Vec<Mailbox> {
    let parsed = mail.to.iter().filter_map(|address| match address.parse() {
        Ok(mailbox) => Some(mailbox),
        Err(error) => {
            tracing::warn!(address, %error, "no letter is sent to what is no address");
            None
        }
    });
    parsed.collect()
}

/// The message that goes to some of a letter's receivers.
///
/// # Errors
/// When the sender is no address, or a header cannot be one.
pub(crate) fn message(mail: &Mail, config: &MailConfig, to: &[Mailbox]) -> Result<Message, PostmanError> {
    let sender: Mailbox = config.sender().parse().map_err(|_| PostmanError::Sender(config.sender()))?;
    let id = format!("<{}@{}>", mail.id, config.domain());
    let mut message = Message::builder()
        .from(sender)
        .mailbox(To::from(to.iter().cloned().collect::<Mailboxes>()))
        .subject(&mail.subject)
        .message_id(Some(id))
        .date_now()
        .header(ContentType::TEXT_PLAIN)
        // nobody's absence note is to answer it
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    for (name, value) in &mail.headers {
        let value = value.replace(['\r', '\n'], " ");
        message = message.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(name), value));
    }
    Ok(message.body(mail.text.replace('\n', "\r\n"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message() {
        let mail = Mail {
            to: vec!["bob@example.com".to_owned(), "no address".to_owned(), "eve@example.com".to_owned()],
            subject: "Package: a-1-1 Tag: f42 Status: complete Built by: bob".to_owned(),
            headers: vec![("X-Koji-Tag", "f42\r\nBcc: mallory@example.com".to_owned())],
            text: "Ünïcode\nsecond line\n".to_owned(),
            id: "build-1-complete-5".to_owned(),
        };
        let config = MailConfig { domain: Some("example.com".to_owned()), ..MailConfig::default() };
        let to = receivers(&mail);
        assert_eq!(to.len(), 2, "what is no address keeps nobody else from the letter");
        let text = String::from_utf8(message(&mail, &config, &to).unwrap().formatted()).unwrap();
        for expected in [
            "From: toji@example.com\r\n",
            "To: bob@example.com, eve@example.com\r\n",
            "Subject: Package: a-1-1 Tag: f42 Status: complete Built by: bob\r\n",
            "Message-ID: <build-1-complete-5@example.com>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
        ] {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
        assert!(!text.contains("\r\nBcc:"), "{text}");
    }

    #[test]
    fn a_sender_that_is_none() {
        let mail = Mail { to: vec![], subject: String::new(), headers: vec![], text: String::new(), id: String::new() };
        let config = MailConfig { from: Some("nobody at all".to_owned()), ..MailConfig::default() };
        assert!(matches!(message(&mail, &config, &[]), Err(PostmanError::Sender(_))));
    }
}
