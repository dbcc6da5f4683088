//! How many requests may be in flight, and how close after each other, where no numbers tell.
//!
//! Pure. Until the first answer few go out. Then it is additive increase and multiplicative decrease:
//! a refusal halves what may be in flight, each answer opens it a little; where one alone is refused,
//! the time between requests grows.

use std::time::Duration;

use super::budget::Wait;

/// In flight before the first answer: a free tenant takes two requests a second.
const START: u32 = 2;
/// The time between requests after the first refusal of one that was alone in flight.
const FIRST_GAP: Duration = Duration::from_millis(200);
const LONGEST_GAP: Duration = Duration::from_secs(5);
/// How much wider it gets when as many are answered as may be in flight; a refusal costs more than a
/// wait.
const STEP: f64 = 0.125;
/// A gap that shrank below this is none.
const LEAST_GAP: Duration = Duration::from_millis(50);

/// A window of requests in flight.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    open: f64,
    most: f64,
    is_heard: bool,
    /// Refusals of requests before this one are of a round that counted already.
    round: u64,
    gap: Duration,
    /// When the gap after the last request ends.
    next: Duration,
}

impl Flow {
    pub(super) fn new(parallelism: usize) -> Self {
        let most = f64::from(u32::try_from(parallelism.max(1)).unwrap_or(u32::MAX));
        let open = most.min(f64::from(START));
        Self { open, most, is_heard: false, round: 0, gap: Duration::ZERO, next: Duration::ZERO }
    }

    /// Says what to wait for, where one more is too many.
    pub(super) fn admit(&self, now: Duration, in_flight: u64) -> Result<(), Wait> {
        #[expect(clippy::cast_precision_loss, reason = "it is at most the parallelism")]
        let is_full = in_flight as f64 + 1.0 > self.open;
        if is_full {
            return Err(Wait::Answer);
        }
        if now < self.next {
            // A clock that was set back does not stretch it.
            return Err(Wait::For(self.next.saturating_sub(now).min(self.gap)));
        }
        Ok(())
    }

    pub(super) fn sent(&mut self, now: Duration) {
        self.next = now + self.gap;
    }

    /// Slows down. What was sent before a refusal was known is refused with it, and says no more.
    pub(super) fn refused(&mut self, number: u64, next: u64) {
        self.is_heard = true;
        if number < self.round {
            return;
        }
        self.round = next;
        if self.open >= 2.0 {
            self.open /= 2.0;
        } else {
            self.open = 1.0;
            self.gap = (self.gap * 3 / 2).clamp(FIRST_GAP, LONGEST_GAP);
        }
    }

    /// Speeds up: at once with the first answer, slowly after refusals.
    pub(super) fn answered(&mut self) {
        if !self.is_heard {
            self.is_heard = true;
            self.open = self.most;
        } else if self.gap > LEAST_GAP {
            self.gap = self.gap * 99 / 100;
        } else {
            self.gap = Duration::ZERO;
            self.open = (self.open + STEP / self.open).min(self.most);
        }
    }
}
