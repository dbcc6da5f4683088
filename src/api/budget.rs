//! One rate limit of the API: what is left of it, and what of that we may take.
//!
//! Pure; all times are of the server's clock, as near as it is known (`budgets`). A bucket is refilled
//! at the top of a second or minute, its window (auth-and-limits.md of the API facts, section 4). What
//! an answer says is left counts all requests before it, so in a window there is room for the least
//! number that was told, less the requests whose answers are still to come.
//!
//! ```text
//!   admit -> in flight -> answered   the least `remaining` of the window; a later reset begins the next
//!                      -> lost
//!   used up -> wait for the reset -> one goes alone -> its answer tells what the rest may take
//! ```

use std::time::Duration;

use super::flow::Flow;
use super::pace::Limits;

/// How long after a reset requests go: clocks are never quite equal.
const MARGIN: Duration = Duration::from_millis(20);
/// How long the others wait for the answer of a request that went alone.
const PROBE: Duration = Duration::from_secs(1);
/// The wait after a refusal that does not say how long.
const UNTOLD: Duration = Duration::from_secs(1);
/// The least wait after a refusal.
const SHORTEST: Duration = Duration::from_millis(50);

/// What a request has to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// This time, or an answer.
    For(Duration),
    /// This time: not the limit, but the user's own bound is why.
    Spaced(Duration),
    /// An answer to one that is in flight.
    Answer,
}

/// A rate limit, and our requests that count against it.
#[derive(Debug, Clone)]
pub struct Budget {
    share: f64,
    in_flight: u64,
    /// The number of the next request; requests are numbered as they go out.
    next: u64,
    window: Option<Window>,
    flow: Flow,
    /// Refused: nothing goes before this time.
    closed: Duration,
    /// Refused without numbers: of the requests from this one on, one goes alone first.
    shut: Option<u64>,
    /// The one that went alone, and until when the others wait for its answer.
    alone: Option<(u64, Duration)>,
}

impl Budget {
    /// Makes a budget of which nothing is known; `parallelism` requests are in flight at most.
    #[must_use]
    pub fn new(share: f64, parallelism: usize) -> Self {
        Self {
            share,
            in_flight: 0,
            next: 0,
            window: None,
            flow: Flow::new(parallelism),
            closed: Duration::ZERO,
            shut: None,
            alone: None,
        }
    }

    /// Gives how many requests fit into the bucket, where an answer told it.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.window.as_ref().and_then(|window| window.limit)
    }

    /// Takes one request out of the budget and numbers it.
    ///
    /// # Errors
    /// Says what to wait for before asking again.
    pub fn admit(&mut self, now: Duration) -> Result<u64, Wait> {
        if now < self.closed {
            return Err(Wait::For(self.closed.saturating_sub(now)));
        }
        self.flow.admit(now, self.in_flight)?;
        let mut has_room = true;
        if let Some(window) = &mut self.window {
            window.pass(now, self.next, self.share);
            // What a window begins with shows only where one goes alone; a share is of that.
            has_room = window.seen > self.in_flight && (window.is_told || self.share >= 1.0);
            if !window.is_within(self.share) || (window.is_told && !has_room) {
                return Err(Wait::For(window.ends.saturating_add(MARGIN).saturating_sub(now)));
            }
        }
        if self.shut.is_some() || !has_room {
            if let Some((_, until)) = self.alone.filter(|(_, until)| now < *until) {
                return Err(Wait::For(until.saturating_sub(now)));
            }
            self.alone = Some((self.next, now + PROBE));
        }
        self.window.iter_mut().for_each(|window| window.used += 1);
        self.flow.sent(now);
        Ok(self.board())
    }

    /// Counts a request that goes out, or went out under another limit and turns out to be of this.
    pub fn board(&mut self) -> u64 {
        self.in_flight += 1;
        self.next += 1;
        self.next - 1
    }

    /// Learns from the answer to a request.
    pub fn answered(&mut self, number: u64, status: u16, limits: &Limits, now: Duration) {
        self.land(number);
        let is_limit = status == 429;
        if is_limit {
            let wait = limits.wait(now).unwrap_or(UNTOLD).max(SHORTEST);
            self.closed = self.closed.max(now.saturating_add(wait));
        } else if self.shut.is_some_and(|shut| number >= shut) {
            self.shut = None;
        }
        if let Some(remaining) = limits.remaining {
            let reset = limits.reset.unwrap_or(Duration::from_secs(now.as_secs() + 1));
            let remaining = if is_limit { 0 } else { remaining };
            let told = Told { number, remaining, reset, is_counted: !is_limit, is_alone: self.in_flight == 0 };
            let window = self.window.get_or_insert_default();
            window.learn(&told, self.next, self.share);
            window.limit = limits.limit.or(window.limit);
        } else if is_limit {
            self.shut = Some(self.next);
        } else {
            // The one that went alone says nothing, so nothing is known any more.
            self.window = self.window.take().filter(|window| window.is_told || number < window.since);
        }
        match (status, limits.remaining) {
            (429, None) | (503, _) => self.flow.refused(number, self.next),
            _ => self.flow.answered(),
        }
    }

    /// Forgets a request that was not answered; it may have been counted if it left us.
    pub fn lost(&mut self, number: u64, has_left: bool) {
        self.land(number);
        if let Some(window) = self.window.as_mut().filter(|_| has_left) {
            window.seen = window.seen.saturating_sub(1);
        }
    }

    fn land(&mut self, number: u64) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.alone = self.alone.filter(|(alone, _)| *alone != number);
    }
}

/// What an answer tells of a window.
struct Told {
    number: u64,
    remaining: u64,
    reset: Duration,
    /// The request was let in, and counts.
    is_counted: bool,
    /// No other is in flight that may count too.
    is_alone: bool,
}

/// The time between two refills.
#[derive(Debug, Clone, Default)]
struct Window {
    /// The reset that the latest answers tell: the window's name.
    reset: Duration,
    /// When the present window ends; the reset, or later where nobody told of the present one yet.
    ends: Duration,
    is_told: bool,
    /// The first request that went out when `reset` was known.
    known: u64,
    /// The least that is left, as told.
    seen: u64,
    /// What was left at its start.
    start: u64,
    /// Our requests that went out in it, from `since` on, and earlier ones that it counted.
    used: u64,
    since: u64,
    /// What we took beyond our share so far, as a number below 0.
    carry: f64,
    limit: Option<u64>,
    refill: Refill,
}

/// What a window adds, as far as it shows.
#[derive(Debug, Clone, Default)]
struct Refill {
    /// The least time between two resets.
    period: Option<Duration>,
    /// What was left before, and how many windows ago.
    before: u64,
    windows: u64,
    /// How many requests a window adds.
    size: Option<u64>,
}

impl Window {
    /// Tells whether our share of the window leaves room.
    fn is_within(&self, share: f64) -> bool {
        share >= 1.0 || float(self.used) < self.allowance(share)
    }

    /// Gives how many requests our share of the window is.
    fn allowance(&self, share: f64) -> f64 {
        let whole = if self.is_told { Some(self.start) } else { self.refill.size.or(self.limit).or(Some(self.start)) };
        let whole = [whole, self.refill.size, self.limit].into_iter().flatten().min().unwrap_or_default();
        // Who finds nothing left still asks now and then.
        share * float(whole.max(1)) + self.carry
    }

    /// Begins the next window where the present one is over.
    fn pass(&mut self, now: Duration, next: u64, share: f64) {
        let Some(late) = now.checked_sub(self.ends.saturating_add(MARGIN)) else { return };
        let period = self.refill.period.unwrap_or(Duration::from_secs(1));
        let others = late.as_nanos() / period.as_nanos();
        self.begin(next, share);
        self.ends += period;
        if others > 0 {
            let others = u32::try_from(others).unwrap_or(u32::MAX);
            self.carry = (self.carry + f64::from(others) * self.allowance(share)).min(0.0);
            self.ends = self.ends.saturating_add(period.saturating_mul(others));
        }
    }

    fn begin(&mut self, next: u64, share: f64) {
        self.carry = if share < 1.0 { (self.allowance(share) - float(self.used)).min(0.0) } else { 0.0 };
        (self.used, self.since, self.is_told) = (0, next, false);
    }

    /// Takes in what an answer tells; `next` is the number of the next request.
    fn learn(&mut self, told: &Told, next: u64, share: f64) {
        // Who went out after this window was known and tells an older one is right: another limit, or a
        // clock that was set.
        let is_other = told.reset < self.reset && told.number >= self.known;
        if told.reset > self.reset || is_other {
            if self.is_told || self.reset.is_zero() {
                self.begin(next, share);
            }
            self.refill.passed(self.reset, told.reset, self.seen);
            (self.reset, self.ends, self.is_told, self.known) = (told.reset, told.reset, true, next);
            (self.seen, self.start) = (told.remaining, told.remaining + u64::from(told.is_counted));
            if told.is_alone {
                self.refill.shown(self.start, self.limit);
            }
        } else if told.reset < self.reset {
            return;
        }
        self.seen = self.seen.min(told.remaining);
        // A late answer may still be of the window before.
        if self.is_told && told.is_counted && told.number < self.since {
            self.used += 1;
        }
    }
}

impl Refill {
    /// Notes that windows went by; `before` was left at the end of the last that was known.
    fn passed(&mut self, from: Duration, to: Duration, before: u64) {
        self.windows = 0;
        let Some(time) = to.checked_sub(from).filter(|_| !from.is_zero()) else { return };
        if self.period.is_none_or(|period| time < period) {
            (self.period, self.size) = (Some(time), None);
        }
        let period = self.period.unwrap_or(time).as_millis().max(1);
        self.windows = u64::try_from(time.as_millis() / period).unwrap_or(u64::MAX);
        self.before = before;
    }

    /// Learns from what a window began with. A bucket that is full may have got more than fits.
    fn shown(&mut self, start: u64, limit: Option<u64>) {
        if self.windows > 0 && limit.is_some_and(|limit| start < limit) {
            self.size = self.size.max(Some(start.saturating_sub(self.before) / self.windows)).filter(|size| *size > 0);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of requests are small")]
fn float(number: u64) -> f64 {
    number as f64
}
