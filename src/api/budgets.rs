//! Which rate limit a request counts against, and by whose clock.
//!
//! Pure: our time is passed in. An endpoint may have a bucket of its own on one plan and fall under
//! the common limit on another, and the pages about it disagree (auth-and-limits.md of the API facts,
//! section 6). So a named bucket goes with the common one, until an answer shows a limit of another
//! size, or refuses without numbers.

use std::collections::HashMap;
use std::time::Duration;

use super::budget::{Budget, Wait};
use super::pace::{Limits, Pacing};

/// The bucket of requests for tokens: another API with limits of its own.
pub const TOKENS: &str = "oauth/token";
/// The longest wait for a window that may be another's.
const SOON: Duration = Duration::from_secs(2);
/// How late a timer may be without slowing down what goes out at even distances.
const LATE: Duration = Duration::from_millis(5);

/// A request that was admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The limit that it was admitted under.
    pub line: usize,
    number: u64,
}

/// All rate limits of one tenant.
#[derive(Debug)]
pub struct Budgets {
    pacing: Pacing,
    clock: ServerClock,
    /// The common one, that of tokens, and those of buckets that turned out to have their own.
    lines: Vec<Budget>,
    buckets: HashMap<String, Bucket>,
    /// When the next request may go, as the user bounds it.
    next: Duration,
}

/// Where a named bucket's requests count.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    line: usize,
    is_own: bool,
}

const COMMON: usize = 0;
const OF_TOKENS: usize = 1;

impl Budgets {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(pacing: Pacing) -> Self {
        let common = Budget::new(pacing.rate_share, pacing.parallelism);
        let tokens = Budget::new(1.0, pacing.parallelism);
        let (lines, buckets) = (vec![common, tokens], HashMap::new());
        Self { pacing, clock: ServerClock::default(), lines, buckets, next: Duration::ZERO }
    }

    /// Gives the limit that a bucket's requests count against now.
    #[must_use]
    pub fn line(&self, bucket: &str) -> usize {
        match (bucket, self.buckets.get(bucket)) {
            (TOKENS, _) => OF_TOKENS,
            (_, Some(Bucket { line, is_own: true })) => *line,
            _ => COMMON,
        }
    }

    /// Admits a request, or says what to wait for before asking again.
    ///
    /// # Errors
    /// What to wait for.
    pub fn admit(&mut self, bucket: &str, now: Duration) -> Result<Ticket, Wait> {
        let line = self.line(bucket);
        let gap = self.pacing.max_rps.filter(|_| line != OF_TOKENS).map(|rps| Duration::from_secs_f64(1.0 / rps));
        if let Some(gap) = gap
            && now < self.next
        {
            return Err(Wait::Spaced(self.next.saturating_sub(now).min(gap)));
        }
        let number = self.lines[line].admit(self.clock.at(now))?;
        if let Some(gap) = gap {
            self.next = self.next.max(now.saturating_sub(LATE)) + gap;
        }
        Ok(Ticket { line, number })
    }

    /// Learns from an answer; `sent` and `received` are by our clock.
    pub fn answered(
        &mut self,
        bucket: &str,
        ticket: Ticket,
        status: u16,
        limits: &Limits,
        (sent, received): (Duration, Duration),
    ) {
        if let Some(date) = limits.date {
            self.clock.learn(date, sent, received);
        }
        if !bucket.is_empty() && ticket.line != OF_TOKENS {
            self.place(bucket, status, limits, self.clock.at(received));
        }
        let line = self.line(bucket);
        let now = self.clock.at(received);
        let mut number = ticket.number;
        if line != ticket.line {
            self.lines[ticket.line].lost(number, false);
            number = self.lines[line].board();
        }
        self.lines[line].answered(number, status, limits, now);
    }

    /// Forgets a request that was not answered.
    pub fn lost(&mut self, ticket: Ticket, has_left: bool) {
        self.lines[ticket.line].lost(ticket.number, has_left);
    }

    /// Gives the server's time at a time of ours.
    #[must_use]
    pub fn server_time(&self, now: Duration) -> Duration {
        self.clock.at(now)
    }

    /// Decides by an answer whether a bucket has a limit of its own.
    fn place(&mut self, bucket: &str, status: u16, limits: &Limits, now: Duration) {
        let common = self.lines[COMMON].limit();
        let is_own = match (limits.limit, common) {
            (Some(own), Some(common)) => own != common,
            // Before the common one is known it may be that; if it is not, the others wait no longer
            // than this.
            (Some(_), None) => limits.reset.is_some_and(|reset| reset > now + SOON),
            (None, _) if status == 429 => true,
            (None, _) => return,
        };
        match self.buckets.get_mut(bucket) {
            Some(known) => known.is_own = is_own,
            None if is_own => {
                self.lines.push(Budget::new(self.pacing.rate_share, self.pacing.parallelism));
                self.buckets.insert(bucket.to_owned(), Bucket { line: self.lines.len() - 1, is_own });
            }
            None => {}
        }
    }
}

/// How far the server's clock is ahead of ours, in microseconds: its headers have whole seconds only,
/// so each answer gives bounds, and all of them together come close.
#[derive(Debug, Clone, Copy)]
struct ServerClock {
    least: i64,
    most: i64,
}

impl Default for ServerClock {
    fn default() -> Self {
        Self { least: i64::MIN, most: i64::MAX }
    }
}

impl ServerClock {
    fn learn(&mut self, date: Duration, sent: Duration, received: Duration) {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX / 2);
        let least = micros(date) - micros(received);
        let most = micros(date) + 1_000_000 - micros(sent);
        (self.least, self.most) = match (self.least.max(least), self.most.min(most)) {
            bounds if bounds.0 <= bounds.1 => bounds,
            // A clock was set.
            _ => (least, most.max(least)),
        };
    }

    /// Gives the server's time: ours where that is possible, else the earliest that is: a request that
    /// comes late is not refused.
    fn at(self, now: Duration) -> Duration {
        let ahead = if self.most < 0 { self.least } else { self.least.max(0) };
        let by = Duration::from_micros(ahead.unsigned_abs());
        if ahead < 0 { now.saturating_sub(by) } else { now.saturating_add(by) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Budgets, ServerClock, TOKENS};
    use crate::api::budget::Wait;
    use crate::api::pace::{Limits, Pacing};

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn told(limit: u64, remaining: u64) -> Limits {
        let reset = Some(NOW + Duration::from_secs(1));
        Limits { limit: Some(limit), remaining: Some(remaining), reset, ..Limits::default() }
    }

    /// Sends a request of a bucket and answers it.
    fn exchange(budgets: &mut Budgets, bucket: &str, status: u16, limits: Limits) {
        let ticket = budgets.admit(bucket, NOW).unwrap();
        budgets.answered(bucket, ticket, status, &limits, (NOW, NOW));
    }

    #[test]
    fn the_servers_clock_is_ours_where_no_answer_contradicts_and_else_rather_behind() {
        // date, sent and received in ms after NOW, then how far the server is ahead.
        type Answers = &'static [(u64, u64, u64)];
        let cases: [(Answers, i64); 6] = [
            (&[], 0),
            (&[(10_000, 10_300, 10_400), (11_000, 11_900, 11_990)], 0),
            (&[(12_000, 10_300, 10_400)], 1_600),
            (&[(12_000, 10_300, 10_400), (12_000, 9_950, 10_020), (11_000, 9_700, 9_720)], 1_980),
            (&[(8_000, 10_300, 10_400), (8_000, 10_900, 10_950), (9_000, 11_300, 11_350)], -2_350),
            // A clock was set: the last counts.
            (&[(12_000, 10_300, 10_400), (20_000, 20_300, 20_400)], 0),
        ];
        for (answers, ahead) in cases {
            let mut clock = ServerClock::default();
            for (date, sent, received) in answers {
                clock.learn(NOW + ms(*date), NOW + ms(*sent), NOW + ms(*received));
            }
            let found = clock.at(NOW).as_millis().cast_signed() - NOW.as_millis().cast_signed();
            assert_eq!(found, i128::from(ahead), "{answers:?}");
        }
    }

    #[test]
    fn a_bucket_has_a_limit_of_its_own_where_an_answer_says_so() {
        let mut budgets = Budgets::new(Pacing::default());
        exchange(&mut budgets, "", 200, told(50, 40));
        exchange(&mut budgets, "organizations", 200, told(50, 39));
        assert_eq!(budgets.line("organizations"), budgets.line(""), "the same limit");
        exchange(&mut budgets, "organizations", 200, told(5, 0));
        assert_ne!(budgets.line("organizations"), budgets.line(""));
        assert!(budgets.admit("organizations", NOW).is_err(), "it is used up");
        assert!(budgets.admit("", NOW).is_ok(), "and holds no other back");
        assert!(budgets.admit("connections", NOW).is_ok());
        let ticket = budgets.admit("organizations", NOW + ms(1_020)).unwrap();
        let limits = Limits { reset: Some(NOW + ms(2_000)), ..told(50, 30) };
        budgets.answered("organizations", ticket, 200, &limits, (NOW + ms(1_020), NOW + ms(1_100)));
        assert_eq!(budgets.line("organizations"), budgets.line(""), "it is the common one after all");
    }

    #[test]
    fn a_bucket_that_refuses_without_numbers_does_not_slow_the_others() {
        let mut budgets = Budgets::new(Pacing::default());
        exchange(&mut budgets, "", 200, Limits::default());
        exchange(&mut budgets, "prompts", 429, Limits::default());
        assert!(budgets.admit("prompts", NOW).is_err());
        assert!(budgets.admit("", NOW).is_ok());
        exchange(&mut budgets, TOKENS, 429, Limits::default());
        assert!(budgets.admit("", NOW).is_ok());
    }

    #[test]
    fn a_bucket_that_is_heard_first_does_not_pass_for_the_common_one() {
        let mut budgets = Budgets::new(Pacing::default());
        let minute = Limits { reset: Some(NOW + Duration::from_secs(60)), ..told(5, 0) };
        exchange(&mut budgets, "connections", 200, minute);
        assert!(budgets.admit("connections", NOW).is_err());
        assert!(budgets.admit("", NOW).is_ok());

        // Where it may be the common one, that is not used beyond it.
        let mut budgets = Budgets::new(Pacing::default());
        let tickets = ["clients", ""].map(|bucket| budgets.admit(bucket, NOW).unwrap());
        budgets.answered("clients", tickets[0], 200, &told(2, 1), (NOW, NOW));
        assert!(budgets.admit("", NOW).is_err(), "one is left, and one in flight");
        budgets.answered("", tickets[1], 200, &told(50, 49), (NOW, NOW));
        exchange(&mut budgets, "clients", 200, told(2, 0));
        assert_ne!(budgets.line("clients"), budgets.line(""));
    }

    #[test]
    fn our_own_bound_spaces_requests_of_all_limits_but_that_of_tokens() {
        let pacing = Pacing { max_rps: Some(10.0), ..Pacing::default() };
        let mut budgets = Budgets::new(pacing);
        exchange(&mut budgets, "", 200, told(50, 49));
        assert_eq!(budgets.admit("organizations", NOW), Err(Wait::Spaced(ms(95))));
        exchange(&mut budgets, TOKENS, 200, Limits::default());
        let mut sent = 0;
        for at in 0..10_000 {
            if let Ok(ticket) = budgets.admit("", NOW + ms(at)) {
                sent += 1;
                let limits = Limits { reset: Some(NOW + ms(at) + ms(1_000)), ..told(50, 49) };
                budgets.answered("", ticket, 200, &limits, (NOW + ms(at), NOW + ms(at)));
            }
        }
        assert!((99..=100).contains(&sent), "{sent}");
    }
}
