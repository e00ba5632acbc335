//! How often and how long a call is tried.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};

use super::ClientError;

/// How long a call is tried before its error is given out. Pauses double, each with as much again at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// No try begins after this; zero = one try.
    pub total: Duration,
    /// The first pause.
    pub first: Duration,
    /// No pause is meant to be longer.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { total: Duration::from_secs(60), first: Duration::from_millis(100), longest: Duration::from_secs(5) }
    }
}

impl Retry {
    /// One try.
    pub const NEVER: Retry = Retry { total: Duration::ZERO, first: Duration::ZERO, longest: Duration::ZERO };

    pub(super) async fn run<T, F: Future<Output = Result<T, ClientError>>>(
        self,
        attempt: impl FnMut() -> F,
        tell: impl FnMut(&ClientError, Duration),
    ) -> Result<T, ClientError> {
        let mut attempt = attempt;
        if self.total.is_zero() {
            return attempt().await;
        }
        let pauses = ExponentialBuilder::default()
            .with_min_delay(self.first)
            .with_max_delay(self.longest)
            .with_jitter()
            .without_max_times()
            .with_total_delay(Some(self.total));
        attempt.retry(pauses).when(ClientError::is_unavailable).notify(tell).await
    }
}
