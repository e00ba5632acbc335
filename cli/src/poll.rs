//! Pauses between questions: short while something is likely to happen, then longer.

use std::time::Duration;

use tokio::time::{Instant, sleep};

const SHORT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(5);
/// After so long, a short pause more or less is not felt.
const PATIENCE: Duration = Duration::from_secs(60);

/// Pauses between questions.
pub(crate) struct Pauses {
    since: Instant,
    next: Duration,
}

impl Pauses {
    pub(crate) fn new() -> Self {
        // A quick task ends within the first second: two early looks spare its user half of it.
        Self { since: Instant::now(), next: SHORT / 4 }
    }

    /// Something happened: more may follow soon.
    pub(crate) fn reset(&mut self) {
        self.since = Instant::now();
        self.next = self.next.min(SHORT);
    }

    /// Waits before the next question.
    pub(crate) async fn pause(&mut self) {
        sleep(self.step()).await;
    }

    fn step(&mut self) -> Duration {
        let pause = self.next;
        let most = if self.since.elapsed() < PATIENCE { SHORT } else { LONG };
        self.next = (pause * 2).min(most).max(pause.min(most));
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grow() {
        let mut pauses = Pauses::new();
        let first: Vec<_> = (0..4).map(|_| pauses.step().as_millis()).collect();
        assert_eq!(first, [250, 500, 1000, 1000]);
        pauses.since -= PATIENCE;
        let later: Vec<_> = (0..4).map(|_| pauses.step().as_millis()).collect();
        assert_eq!(later, [1000, 2000, 4000, 5000]);
        pauses.reset();
        assert_eq!(pauses.step().as_millis(), 1000);
    }
}
