//! The queues, over SQS: who rings, who listens.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_credential_types::Credentials;
use aws_sdk_sqs::{
    Client,
    config::Region,
    error::{DisplayErrorContext, SdkError},
    types::SendMessageBatchRequestEntry,
};
use serde::Serialize;
use thiserror::Error;
use tokio::sync::RwLock;

use crate::{aws, queue_name::QueueName};

/// The most messages that SQS takes in one call.
const BATCH: usize = 10;

/// Why a queue could not be used.
#[derive(Debug, Error)]
#[error("queue {queue}: {message}")]
pub struct QueueError {
    /// Its name or URL.
    pub queue: String,
    /// What SQS said.
    pub message: String,
    /// There is no such queue.
    pub is_missing: bool,
}

impl QueueError {
    fn new<E>(queue: &str, error: SdkError<E>) -> Self
    where
        E: std::error::Error + aws_sdk_sqs::error::ProvideErrorMetadata + 'static,
    {
        let is_missing = error
            .as_service_error()
            .and_then(|e| e.code())
            .is_some_and(|code| code.contains("QueueDoesNotExist") || code.contains("NonExistentQueue"));
        Self { queue: queue.to_owned(), message: DisplayErrorContext(&error).to_string(), is_missing }
    }
}

/// Where SQS is and what opens it.
#[derive(Clone, Debug)]
pub struct QueueAccess {
    /// Its address; None = AWS's own for the region.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// None = what the environment offers.
    pub credentials: Option<Credentials>,
}

impl QueueAccess {
    /// A client that speaks TLS through ring.
    pub async fn client(&self) -> Client {
        let mut loader = aws::from_environment().region(Region::new(self.region.clone()));
        if let Some(credentials) = &self.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        if let Some(endpoint) = &self.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        Client::new(&loader.load().await)
    }
}

/// A message that is this receiver's until it is deleted or its time is over.
#[derive(Clone, Debug)]
pub struct Message {
    /// What was sent.
    pub body: String,
    /// What deletes it.
    pub receipt: String,
}

/// One queue, to listen to.
#[derive(Clone, Debug)]
pub struct Listener {
    client: Client,
    url: String,
}

impl Listener {
    /// Listens at a queue's URL.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self { client, url: url.into() }
    }

    /// Waits up to `wait` (20 s at the most) for messages; up to `most`, 10 at the most.
    ///
    /// # Errors
    /// When SQS cannot be reached or refuses.
    pub async fn receive(&self, wait: Duration, most: i32) -> Result<Vec<Message>, QueueError> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .wait_time_seconds(wait.as_secs().min(20) as i32)
            .max_number_of_messages(most)
            .send()
            .await
            .map_err(|error| QueueError::new(&self.url, error))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        Ok(messages
            .filter_map(|message| Some(Message { body: message.body?, receipt: message.receipt_handle? }))
            .collect())
    }

    /// Deletes a message.
    ///
    /// # Errors
    /// When SQS cannot be reached or refuses.
    pub async fn delete(&self, message: &Message) -> Result<(), QueueError> {
        self.client
            .delete_message()
            .queue_url(&self.url)
            .receipt_handle(&message.receipt)
            .send()
            .await
            .map_err(|error| QueueError::new(&self.url, error))?;
        Ok(())
    }

    /// Shows a message again, to anybody, after `delay`.
    ///
    /// # Errors
    /// When SQS cannot be reached or refuses.
    pub async fn show_again(&self, message: &Message, delay: Duration) -> Result<(), QueueError> {
        self.client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(&message.receipt)
            .visibility_timeout(delay.as_secs() as i32)
            .send()
            .await
            .map_err(|error| QueueError::new(&self.url, error))?;
        Ok(())
    }
}

/// All queues of a deployment, by name. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Queues {
    client: Client,
    prefix: Arc<str>,
    urls: Arc<RwLock<HashMap<String, String>>>,
}

impl Queues {
    /// The queues whose names begin with `prefix`, such as `toji-`.
    pub fn new(client: Client, prefix: &str) -> Self {
        Self { client, prefix: prefix.into(), urls: Arc::default() }
    }

    /// The URL of a queue; the queue is made when there is none.
    ///
    /// # Errors
    /// When SQS cannot be reached or refuses.
    pub async fn url(&self, queue: &QueueName) -> Result<String, QueueError> {
        let name = format!("{}{queue}", self.prefix);
        if let Some(url) = self.urls.read().await.get(&name) {
            return Ok(url.clone());
        }
        let found = self.client.get_queue_url().queue_name(&name).send().await;
        let url = match found.map_err(|error| QueueError::new(&name, error)) {
            Ok(found) => found.queue_url,
            Err(error) if error.is_missing => {
                let made = self.client.create_queue().queue_name(&name).send().await;
                made.map_err(|error| QueueError::new(&name, error))?.queue_url
            }
            Err(error) => return Err(error),
        };
        let url = url.ok_or_else(|| QueueError {
            queue: name.clone(),
            message: "SQS named no URL".to_owned(),
            is_missing: false,
        })?;
        self.urls.write().await.insert(name, url.clone());
        Ok(url)
    }

    /// Asks SQS whether it answers.
    ///
    /// # Errors
    /// When it does not; a queue that does not exist yet is no error.
    pub async fn check(&self) -> Result<(), QueueError> {
        let name = format!("{}{}", self.prefix, QueueName::Coordinator);
        match self.client.get_queue_url().queue_name(&name).send().await {
            Ok(_) => Ok(()),
            Err(error) => match QueueError::new(&name, error) {
                error if error.is_missing => Ok(()),
                error => Err(error),
            },
        }
    }

    /// Sends messages, in as few calls as SQS allows.
    ///
    /// # Errors
    /// When SQS cannot be reached or refuses one of them; some may have been sent.
    pub async fn send(&self, queue: &QueueName, bodies: &[String]) -> Result<(), QueueError> {
        let url = self.url(queue).await?;
        let sent = self.send_to(&url, bodies).await;
        if matches!(&sent, Err(error) if error.is_missing) {
            // deleted behind our back: forget the address, so that the next try makes it
            self.urls.write().await.retain(|_, known| *known != url);
        }
        sent
    }

    async fn send_to(&self, url: &str, bodies: &[String]) -> Result<(), QueueError> {
        if let [body] = bodies {
            let sent = self.client.send_message().queue_url(url).message_body(body).send().await;
            sent.map_err(|error| QueueError::new(url, error))?;
            return Ok(());
        }
        for batch in bodies.chunks(BATCH) {
            let entries = batch.iter().enumerate().filter_map(|(id, body)| {
                SendMessageBatchRequestEntry::builder().id(id.to_string()).message_body(body).build().ok()
            });
            let request = self.client.send_message_batch().queue_url(url).set_entries(Some(entries.collect()));
            let answer = request.send().await.map_err(|error| QueueError::new(url, error))?;
            if let Some(failed) = answer.failed.first() {
                return Err(QueueError {
                    queue: url.to_owned(),
                    message: format!("{}: {}", failed.code, failed.message.as_deref().unwrap_or("refused")),
                    is_missing: false,
                });
            }
        }
        Ok(())
    }

    /// About how many messages wait in a queue or are in somebody's hands.
    ///
    /// # Errors
    /// When SQS cannot be reached or refuses.
    pub async fn depth(&self, queue: &QueueName) -> Result<i64, QueueError> {
        use aws_sdk_sqs::types::QueueAttributeName as Name;
        let url = self.url(queue).await?;
        let counts = [
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesNotVisible,
            Name::ApproximateNumberOfMessagesDelayed,
        ];
        let request = self.client.get_queue_attributes().queue_url(&url).set_attribute_names(Some(counts.to_vec()));
        let answer = request.send().await.map_err(|error| QueueError::new(&url, error))?;
        let attributes = answer.attributes.unwrap_or_default();
        Ok(attributes.values().filter_map(|count| count.parse::<i64>().ok()).sum())
    }

    /// One queue, to listen to.
    ///
    /// # Errors
    /// When it cannot be found or made.
    pub async fn listener(&self, queue: &QueueName) -> Result<Listener, QueueError> {
        Ok(Listener::new(self.client.clone(), self.url(queue).await?))
    }
}

/// A message's text. Messages are plain structs, so this does not fail.
pub fn body<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).unwrap_or_default()
}
