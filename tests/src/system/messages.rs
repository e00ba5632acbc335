//! What may happen to messages on their way.

use aws_sdk_sqs::{
    Client,
    types::QueueAttributeName::{ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible, DelaySeconds},
};

use super::System;

/// The most that SQS hands out at once.
const MOST: i32 = 10;

impl System {
    /// Loses all messages that are in any queue, those in somebody's hands, too. Answers how many.
    ///
    /// # Panics
    /// When the queues are away.
    pub async fn lose_messages(&self) -> usize {
        let (sqs, queues) = self.queues().await;
        let mut lost = 0;
        for queue in queues {
            lost += waiting(&sqs, &queue).await;
            sqs.purge_queue().queue_url(&queue).send().await.expect("a queue can be emptied");
        }
        lost
    }

    /// Sends every message once more that nobody has received yet. Answers how many.
    ///
    /// # Panics
    /// When the queues are away.
    pub async fn double_messages(&self) -> usize {
        let (sqs, queues) = self.queues().await;
        let mut doubled = 0;
        for queue in queues {
            let mut bodies = Vec::new();
            // Received, so that the next call gets others; then shown again.
            let mut held = Vec::new();
            loop {
                let asked = sqs.receive_message().queue_url(&queue).max_number_of_messages(MOST).send().await;
                let messages = asked.expect("a queue answers").messages.unwrap_or_default();
                if messages.is_empty() {
                    break;
                }
                bodies.extend(messages.iter().filter_map(|message| message.body.clone()));
                held.extend(messages.into_iter().filter_map(|message| message.receipt_handle));
            }
            for receipt in held {
                let shown = sqs.change_message_visibility().queue_url(&queue).receipt_handle(receipt);
                shown.visibility_timeout(0).send().await.expect("a message can be shown again");
            }
            doubled += bodies.len();
            for body in bodies {
                sqs.send_message().queue_url(&queue).message_body(body).send().await.expect("a message can be sent");
            }
        }
        doubled
    }

    /// Holds back what is sent from now on to the queues with this in their names: it can be received after so many seconds.
    ///
    /// # Panics
    /// When the queues are away.
    pub async fn delay_messages(&self, name: &str, seconds: u32) {
        let (sqs, queues) = self.queues().await;
        for queue in queues.iter().filter(|queue| queue.contains(name)) {
            let set = sqs.set_queue_attributes().queue_url(queue).attributes(DelaySeconds, seconds.to_string());
            set.send().await.expect("a queue can be set");
        }
    }

    /// How many messages are in a queue, received or not, by the end of its name.
    ///
    /// # Panics
    /// When the queues are away.
    pub async fn messages_in(&self, name: &str) -> usize {
        let (sqs, queues) = self.queues().await;
        let mut found = 0;
        for queue in queues.iter().filter(|queue| queue.ends_with(name)) {
            found += waiting(&sqs, queue).await;
        }
        found
    }

    async fn queues(&self) -> (Client, Vec<String>) {
        let sqs = self.cloud().queue_access().client().await;
        let queues = sqs.list_queues().send().await.expect("the queues are there").queue_urls.unwrap_or_default();
        (sqs, queues)
    }
}

async fn waiting(sqs: &Client, queue: &str) -> usize {
    let names = vec![ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible];
    let asked = sqs.get_queue_attributes().queue_url(queue).set_attribute_names(Some(names)).send().await;
    let counts = asked.expect("a queue answers").attributes.unwrap_or_default();
    counts.values().filter_map(|count| count.parse::<usize>().ok()).sum()
}
