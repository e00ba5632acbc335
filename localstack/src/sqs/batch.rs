//! Batches: up to ten entries, each with its own outcome.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::error::{Refusal, Result};

/// The most entries of one batch.
const MOST_ENTRIES: usize = 10;

/// Refuses a batch as a whole.
pub(super) fn check_ids<'a>(ids: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut seen = HashSet::new();
    let mut count = 0;
    for id in ids {
        count += 1;
        let good =
            (1..=80).contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !good {
            return Err(Refusal::invalid_batch_id());
        }
        if !seen.insert(id) {
            return Err(Refusal::ids_not_distinct(id));
        }
    }
    match count {
        0 => Err(Refusal::empty_batch()),
        1..=MOST_ENTRIES => Ok(()),
        _ => Err(Refusal::too_many_entries(count)),
    }
}

/// Collects what became of the entries.
#[derive(Default)]
pub(super) struct Outcomes {
    successful: Vec<Value>,
    failed: Vec<Value>,
}

impl Outcomes {
    pub(super) fn add(&mut self, id: &str, outcome: Result<Value>) {
        match outcome {
            Ok(mut entry) => {
                entry["Id"] = id.into();
                self.successful.push(entry);
            }
            Err(refusal) => self.failed.push(json!({
                "Id": id,
                "SenderFault": refusal.status.is_client_error(),
                "Code": refusal.code,
                "Message": refusal.message,
            })),
        }
    }

    pub(super) fn answer(self) -> Value {
        json!({ "Successful": self.successful, "Failed": self.failed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let code = |ids: &[&str]| check_ids(ids.iter().copied()).err().map(|refusal| refusal.name);
        assert_eq!(code(&["a", "b-_1"]), None);
        assert_eq!(code(&[]), Some("EmptyBatchRequest"));
        assert_eq!(code(&["a", "a"]), Some("BatchEntryIdsNotDistinct"));
        assert_eq!(code(&["a b"]), Some("InvalidBatchEntryId"));
        let many: Vec<String> = (0..11).map(|i| i.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(code(&many), Some("TooManyEntriesInBatchRequest"));
        assert_eq!(code(&many[..10]), None);
    }
}
