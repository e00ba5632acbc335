//! Who takes letters away: a mail server, SES, or a folder.

use std::path::Path;

use lettre::{
    AsyncFileTransport, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor, message::Mailbox, transport,
};
use thiserror::Error;
use toji_hub::{config::MailConfig, notification::Mail};

use crate::letter;

/// Why a letter could not be taken away.
#[derive(Debug, Error)]
pub enum PostmanError {
    /// The sender's address is none.
    #[error("'{0}' is no sender's address: set TOJI_MAIL_FROM to one")]
    Sender(String),
    /// It cannot be written as a message.
    #[error("it cannot be written as a message")]
    Message(#[from] lettre::error::Error),
    /// The mail server's fault.
    #[error("the mail server does not take it")]
    Smtp(#[from] transport::smtp::Error),
    /// The folder's fault.
    #[error("it cannot be written into the folder")]
    Folder(#[from] transport::file::Error),
    /// SES's fault.
    #[cfg(feature = "ses")]
    #[error("SES does not take it")]
    Ses(#[source] Box<dyn std::error::Error + Send + Sync>, bool),
}

impl PostmanError {
    /// It would be the same the next time.
    fn is_permanent(&self) -> bool {
        match self {
            Self::Smtp(error) => error.is_permanent(),
            Self::Message(_) => true,
            // a setting that can be mended, a disk that can be emptied
            Self::Sender(_) | Self::Folder(_) => false,
            #[cfg(feature = "ses")]
            Self::Ses(_, is_permanent) => *is_permanent,
        }
    }
}

/// Who takes letters away. Cheap to clone.
#[derive(Clone)]
pub enum Postman {
    /// A mail server.
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    /// A folder: each letter becomes a file `….eml`.
    Folder(AsyncFileTransport<Tokio1Executor>),
    /// Amazon's mail service.
    #[cfg(feature = "ses")]
    Ses(aws_sdk_sesv2::Client),
}

impl Postman {
    /// A mail server by its URL: `smtp://host`, `smtps://user:password@host:465`, `smtp://host:587?tls=required`. Nothing is opened yet.
    ///
    /// # Errors
    /// When the URL makes no sense.
    pub fn smtp(url: &str) -> Result<Self, PostmanError> {
        Ok(Self::Smtp(AsyncSmtpTransport::<Tokio1Executor>::from_url(url)?.build()))
    }

    /// A folder, which must be there.
    pub fn folder(path: &Path) -> Self {
        Self::Folder(AsyncFileTransport::new(path))
    }

    /// Sends a letter to all who are to receive it.
    ///
    /// # Errors
    /// When it is to be tried again. What is refused for good is logged: refused for one, it is still sent to each of the others.
    pub async fn deliver(&self, mail: &Mail, config: &MailConfig) -> Result<(), PostmanError> {
        let to = letter::receivers(mail);
        // SES takes no more at once
        for some in to.chunks(50) {
            match self.send(&letter::message(mail, config, some)?).await {
                Err(error) if error.is_permanent() && some.len() > 1 => self.send_each(mail, config, some).await?,
                sent => refused(sent, mail, some)?,
            }
        }
        Ok(())
    }

    async fn send_each(&self, mail: &Mail, config: &MailConfig, to: &[Mailbox]) -> Result<(), PostmanError> {
        for one in to.chunks(1) {
            refused(self.send(&letter::message(mail, config, one)?).await, mail, one)?;
        }
        Ok(())
    }

    async fn send(&self, message: &Message) -> Result<(), PostmanError> {
        match self {
            Self::Smtp(server) => {
                server.send_raw(message.envelope(), &message.formatted()).await?;
            }
            Self::Folder(folder) => {
                folder.send_raw(message.envelope(), &message.formatted()).await?;
            }
            #[cfg(feature = "ses")]
            Self::Ses(ses) => crate::ses::send(ses, message).await?,
        }
        Ok(())
    }
}

/// Only what may go better the next time remains an error.
fn refused(sent: Result<(), PostmanError>, mail: &Mail, to: &[Mailbox]) -> Result<(), PostmanError> {
    match sent {
        Err(error) if error.is_permanent() => {
            let to: Vec<String> = to.iter().map(ToString::to_string).collect();
            tracing::error!(subject = mail.subject, ?to, error = ?error, "a letter is refused for good, and dropped");
            Ok(())
        }
        sent => sent,
    }
}
