//! When a request is sent, sent again, or given up: decisions as pure functions of what is known.
//!
//! Knows no clock and no network: time is passed in, chance too. [`Budget`] holds back requests that
//! the API would refuse; [`next`] decides about a request that came back.
//!
//! ```text
//!   Budget::admit -> send -> Budget::learn -> next -> done | wait and send again | give up
//! ```

use std::time::Duration;

/// Most attempts at one request, the first included. Refusals by a limit don't count: they had no
/// effect, and the waiting has a bound of its own.
pub const MOST_ATTEMPTS: u32 = 5;
/// Most waiting for one request.
pub const MOST_WAITING: Duration = Duration::from_secs(60);

/// How long the others wait for the answer of a request that went alone.
const PROBE: Duration = Duration::from_secs(1);
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);
/// The time between requests after the first refusal by a limit that does not say how large it is.
const FIRST_GAP: Duration = Duration::from_millis(200);
const LONGEST_GAP: Duration = Duration::from_secs(5);

/// What an answer's headers say about limits (auth-and-limits.md of the API facts, section 4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// `x-ratelimit-limit`: how many requests fit.
    pub limit: Option<u64>,
    /// `x-ratelimit-remaining`: how many are left.
    pub remaining: Option<u64>,
    /// How long until one more fits, from `x-ratelimit-reset`.
    pub reset_in: Option<Duration>,
    /// How long to wait, from `retry-after-ms` or `retry-after`.
    pub retry_after: Option<Duration>,
}

impl Limits {
    /// Reads the headers. `clock` is our time since 1970; the answer's own `date` is used in its
    /// place where there is one, so that a clock that goes wrong does not make us wait for ever.
    pub fn read<'a>(header: impl Fn(&str) -> Option<&'a str>, clock: Duration) -> Self {
        let number = |name: &str| header(name).and_then(|text| text.trim().parse::<u64>().ok());
        let now = header("date").and_then(date).unwrap_or(clock);
        let seconds = |text: &str| text.trim().parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
        Self {
            limit: number("x-ratelimit-limit"),
            remaining: number("x-ratelimit-remaining"),
            reset_in: number("x-ratelimit-reset").map(|at| Duration::from_secs(at).saturating_sub(now)),
            retry_after: number("retry-after-ms").map(Duration::from_millis).or_else(|| {
                let text = header("retry-after")?;
                seconds(text).or_else(|| date(text).map(|at| at.saturating_sub(now)))
            }),
        }
    }
}

/// Reads an HTTP date (RFC 9110, section 5.6.7) as time since 1970.
fn date(text: &str) -> Option<Duration> {
    httpdate::parse_http_date(text.trim()).ok()?.duration_since(std::time::UNIX_EPOCH).ok()
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With an answer of this status that can be read.
    Answered(u16),
    /// With an answer that says success but is cut off or is not JSON.
    Garbled,
    /// The request never left us.
    Unsent,
    /// The request was sent and no answer came.
    Lost,
}

/// What may be sent a second time (product.md, section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Repeating it changes nothing: reads, PATCH, PUT, DELETE.
    Always,
    /// It may have had its effect: only what surely had none is repeated.
    IfNotDone,
}

/// What is known of an attempt.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// How it ended.
    pub ended: Ended,
    /// What the answer's headers say.
    pub limits: Limits,
    /// Which attempt it was, from 1.
    pub number: u32,
    /// How long this request has waited so far.
    pub waited: Duration,
    /// What may be repeated.
    pub repeat: Repeat,
    /// A random number from 0 to 1.
    pub jitter: f64,
}

/// What to do with a request that came back.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// It is done, well or not: the answer counts.
    Done,
    /// Send it again after this time.
    Wait(Duration),
    /// It could be sent again, but not by us; why.
    GiveUp(String),
}

/// Decides what to do with a request that came back.
#[must_use]
pub fn next(attempt: &Attempt) -> Next {
    let worth = match (attempt.ended, attempt.repeat) {
        (Ended::Answered(429) | Ended::Unsent, _) => true,
        (Ended::Answered(408 | 500..), repeat) => repeat == Repeat::Always && attempt.ended != Ended::Answered(501),
        (Ended::Garbled | Ended::Lost, repeat) => repeat == Repeat::Always,
        (Ended::Answered(_), _) => false,
    };
    if !worth {
        return Next::Done;
    }
    if attempt.number >= MOST_ATTEMPTS && attempt.ended != Ended::Answered(429) {
        return Next::GiveUp(format!("gave up after {} attempts", attempt.number));
    }
    let told = match attempt.ended {
        Ended::Answered(429) => attempt.limits.retry_after.or(attempt.limits.reset_in),
        Ended::Answered(_) => attempt.limits.retry_after,
        Ended::Garbled | Ended::Unsent | Ended::Lost => None,
    };
    let wait = match told {
        // Everybody who was refused waits for the same moment; a little chance spreads them.
        Some(told) => told.saturating_add(FIRST_BACKOFF.mul_f64(attempt.jitter.clamp(0.0, 1.0))),
        None => backoff(attempt.number, attempt.jitter),
    };
    if attempt.waited.saturating_add(wait) <= MOST_WAITING {
        return Next::Wait(wait);
    }
    Next::GiveUp(format!(
        "the API asks to wait {} more, and tenantctl waits {} at most for one request",
        words(wait),
        words(MOST_WAITING)
    ))
}

/// Gives the time before the next attempt where the server named none: it doubles, and half of it
/// is left to chance.
fn backoff(number: u32, jitter: f64) -> Duration {
    let whole = FIRST_BACKOFF.saturating_mul(1 << number.saturating_sub(1).min(10)).min(LONGEST_BACKOFF);
    whole.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

/// Says a duration to a person.
#[must_use]
pub fn words(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// What is left of a rate limit, as far as the answers told us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    left: Option<u64>,
    opens: Duration,
    /// The time between requests, where refusals are all that the API tells of its limit: it grows
    /// with each, and shrinks slowly with what is taken.
    gap: Duration,
    /// When the gap after the last request ends.
    next: Duration,
}

impl Budget {
    /// Takes one request out of the budget, or tells how long none is left.
    ///
    /// After the reset one request goes alone: `x-ratelimit-reset` is the time at which one more
    /// fits, not that of a full bucket (auth-and-limits.md of the API facts, section 4); its answer
    /// tells about the rest.
    ///
    /// # Errors
    /// Gives the time to wait before asking again.
    pub fn admit(&mut self, now: Duration) -> Result<(), Duration> {
        if self.left != Some(0) && now < self.next {
            return Err(self.next.saturating_sub(now));
        }
        self.take(now)?;
        self.next = now + self.gap;
        Ok(())
    }

    fn take(&mut self, now: Duration) -> Result<(), Duration> {
        match self.left {
            None => Ok(()),
            Some(0) if now < self.opens => Err(self.opens.saturating_sub(now)),
            Some(0) => {
                // The probe is on its way; the others look again when it should be back.
                self.opens = now + PROBE;
                Ok(())
            }
            Some(left) => {
                self.left = Some(left - 1);
                Ok(())
            }
        }
    }

    /// Learns from an answer; `in_flight` requests besides it are not counted in it yet.
    pub fn learn(&mut self, status: u16, limits: Limits, in_flight: u64, now: Duration) {
        let wait = limits.retry_after.filter(|_| status == 429).or(limits.reset_in);
        let left = match (status, limits.remaining) {
            (429, remaining) => {
                // What was sent before the refusal was known is refused with it, and says no more.
                if remaining.is_none() && now >= self.opens {
                    self.gap = (self.gap * 3 / 2).clamp(FIRST_GAP, LONGEST_GAP);
                }
                0
            }
            (_, Some(remaining)) => remaining.saturating_sub(in_flight),
            // An endpoint without a limit of its own: what it answers is no probe of another's.
            (_, None) => {
                self.gap = self.gap * 99 / 100;
                self.left = self.left.filter(|left| *left > 0);
                return;
            }
        };
        self.left = Some(left);
        if left == 0 {
            self.opens = now.saturating_add(wait.unwrap_or(PROBE));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Attempt, Budget, Ended, Limits, MOST_WAITING, Next, Repeat, next};

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn limits(headers: &[(&str, &'static str)]) -> Limits {
        Limits::read(|name| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value), NOW)
    }

    fn attempt(ended: Ended, repeat: Repeat, limits: Limits) -> Attempt {
        Attempt { ended, limits, number: 1, waited: Duration::ZERO, repeat, jitter: 0.0 }
    }

    #[test]
    fn each_ending_is_repeated_only_where_that_is_safe() {
        use Ended::{Answered, Garbled, Lost, Unsent};
        let again = |ended, repeat| next(&attempt(ended, repeat, Limits::default())) != Next::Done;
        let cases = [
            (Answered(200), false, false),
            (Answered(400), false, false),
            (Answered(401), false, false),
            (Answered(404), false, false),
            (Answered(409), false, false),
            (Answered(501), false, false),
            (Answered(429), true, true),
            (Unsent, true, true),
            (Answered(408), true, false),
            (Answered(500), true, false),
            (Answered(503), true, false),
            (Garbled, true, false),
            (Lost, true, false),
        ];
        for (ended, always, if_not_done) in cases {
            assert_eq!(again(ended, Repeat::Always), always, "{ended:?}");
            assert_eq!(again(ended, Repeat::IfNotDone), if_not_done, "{ended:?}");
        }
    }

    #[test]
    fn the_wait_is_what_the_headers_say() {
        let cases: [(&[(&str, &'static str)], u64); 6] = [
            (&[("retry-after-ms", "1500"), ("retry-after", "9")], 1500),
            (&[("retry-after", "9"), ("x-ratelimit-reset", "1700000030")], 9000),
            (&[("retry-after", "Tue, 14 Nov 2023 22:13:25 GMT")], 5000),
            (&[("x-ratelimit-reset", "1700000030")], 30_000),
            (&[("x-ratelimit-reset", "1700000030"), ("date", "Tue, 14 Nov 2023 22:13:40 GMT")], 10_000),
            (&[], 250),
        ];
        for (headers, wait) in cases {
            let found = next(&attempt(Ended::Answered(429), Repeat::IfNotDone, limits(headers)));
            assert_eq!(found, Next::Wait(Duration::from_millis(wait)), "{headers:?}");
        }
    }

    #[test]
    fn waiting_and_attempts_have_an_end() {
        let hours = attempt(Ended::Answered(429), Repeat::Always, limits(&[("retry-after", "10000")]));
        assert!(matches!(next(&hours), Next::GiveUp(why) if why.contains("wait 2 h more")));
        for header in ["retry-after", "retry-after-ms", "x-ratelimit-reset"] {
            let most = limits(&[(header, "18446744073709549568")]);
            assert!(matches!(next(&attempt(Ended::Answered(429), Repeat::Always, most)), Next::GiveUp(_)), "{header}");
            let mut budget = Budget::default();
            budget.learn(429, most, 0, NOW);
            assert!(budget.admit(NOW).unwrap_err() > MOST_WAITING, "{header}");
        }
        let fifth = Attempt { number: 5, ..attempt(Ended::Lost, Repeat::Always, Limits::default()) };
        assert!(matches!(next(&fifth), Next::GiveUp(why) if why.contains("5 attempts")));
        let tired = Attempt { waited: MOST_WAITING, ..attempt(Ended::Lost, Repeat::Always, Limits::default()) };
        assert!(matches!(next(&tired), Next::GiveUp(_)));
        let patient =
            Attempt { number: 20, ..attempt(Ended::Answered(429), Repeat::Always, limits(&[("retry-after", "1")])) };
        assert_eq!(next(&patient), Next::Wait(Duration::from_secs(1)), "a limit is waited for, not counted");
    }

    #[test]
    fn the_backoff_doubles_and_half_of_it_is_chance() {
        let at = |number, jitter| {
            next(&Attempt { number, jitter, ..attempt(Ended::Lost, Repeat::Always, Limits::default()) })
        };
        assert_eq!(at(1, 1.0), Next::Wait(Duration::from_millis(500)));
        assert_eq!(at(3, 1.0), Next::Wait(Duration::from_secs(2)));
        assert_eq!(at(3, 0.0), Next::Wait(Duration::from_secs(1)));
    }

    #[test]
    fn an_empty_budget_holds_requests_back_until_the_reset() {
        let mut budget = Budget::default();
        assert_eq!(budget.admit(NOW), Ok(()), "nothing is known yet");
        budget.learn(200, limits(&[("x-ratelimit-remaining", "2")]), 1, NOW);
        assert_eq!(budget.admit(NOW), Ok(()), "one is left, the other is in flight");
        budget.learn(200, limits(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000003")]), 0, NOW);
        assert_eq!(budget.admit(NOW), Err(Duration::from_secs(3)));
        let later = NOW + Duration::from_secs(3);
        assert_eq!(budget.admit(later), Ok(()), "one goes alone");
        assert!(budget.admit(later).is_err(), "the others wait for its answer");
        budget.learn(200, limits(&[("x-ratelimit-remaining", "5")]), 0, later);
        assert_eq!(budget.admit(later), Ok(()));
    }

    #[test]
    fn a_limit_that_only_refuses_slows_requests_down_and_lets_them_speed_up_slowly() {
        let mut budget = Budget::default();
        let refusal = limits(&[("retry-after", "1")]);
        budget.learn(429, refusal, 0, NOW);
        budget.learn(429, refusal, 0, NOW);
        let open = NOW + Duration::from_secs(1);
        assert_eq!(budget.admit(open), Ok(()));
        budget.learn(200, Limits::default(), 0, open);
        let wait = budget.admit(open).unwrap_err();
        assert_eq!(wait, Duration::from_millis(200), "refusals at one time count once");
        assert_eq!(budget.admit(open + wait), Ok(()));
        let shorter = budget.admit(open + wait).unwrap_err();
        assert!(shorter < wait, "{shorter:?}");
        budget.learn(429, Limits::default(), 0, open + wait);
        assert!(budget.admit(open + wait).unwrap_err() >= Duration::from_secs(1), "nothing was said, so a second");
    }
}
