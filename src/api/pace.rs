//! What becomes of a request that came back: decisions as pure functions of what is known.
//!
//! Knows no clock and no network: time is passed in, chance too. `budgets` holds back requests that
//! the API would refuse; [`next`] decides about a request that came back.
//!
//! ```text
//!   Budgets::admit -> send -> Budgets::answered -> next -> done | wait and send again | give up
//! ```

use std::time::Duration;

/// Most attempts at one request, the first included. Refusals by a limit don't count: they had no
/// effect, and the waiting has a bound of its own.
pub const MOST_ATTEMPTS: u32 = 5;

const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);

/// How fast requests may go out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pacing {
    /// The part of each rate limit that is used at most: above 0, and 1 at most.
    pub rate_share: f64,
    /// Most requests a second to the Management API.
    pub max_rps: Option<f64>,
    /// Most requests in flight.
    pub parallelism: usize,
    /// Most waiting: of one request to be sent again, and of a queue in which nothing moves.
    pub max_wait: Duration,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { rate_share: 1.0, max_rps: None, parallelism: 16, max_wait: Duration::from_secs(120) }
    }
}

impl Pacing {
    /// The names of its members, in project files, and with dashes as flags.
    pub const NAMES: [&str; 4] = ["rate_share", "max_rps", "parallelism", "max_wait"];

    /// Sets a member.
    ///
    /// # Errors
    /// Says what the member must be.
    pub fn set(&mut self, name: &str, number: f64) -> Result<(), &'static str> {
        let is_whole = |most: f64| number.fract() == 0.0 && number >= 1.0 && number <= most;
        match name {
            "rate_share" if number > 0.0 && number <= 1.0 => self.rate_share = number,
            "rate_share" => return Err("a number above 0, and 1 at most"),
            "max_rps" if number > 0.0 && number <= 1e6 => self.max_rps = Some(number),
            "max_rps" => return Err("a number above 0"),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is from 1 to 1000")]
            "parallelism" if is_whole(1e3) => self.parallelism = number as usize,
            "parallelism" => return Err("a whole number from 1 to 1000"),
            _ if is_whole(86_400.0) => self.max_wait = Duration::from_secs_f64(number),
            _ => return Err("a whole number of seconds, from 1 to 86400"),
        }
        Ok(())
    }
}

/// What an answer's headers say about limits (auth-and-limits.md of the API facts, section 4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// `x-ratelimit-limit`: how many requests fit.
    pub limit: Option<u64>,
    /// `x-ratelimit-remaining`: how many are left.
    pub remaining: Option<u64>,
    /// `x-ratelimit-reset`: the second of the server's clock from which one more fits.
    pub reset: Option<Duration>,
    /// How long to wait, from `retry-after-ms` or `retry-after`.
    pub retry_after: Option<Duration>,
    /// `date`: the server's clock, in whole seconds.
    pub date: Option<Duration>,
}

impl Limits {
    /// Reads the headers. `clock` is our time since 1970, for an answer that names a time and has no
    /// `date`.
    pub fn read<'a>(header: impl Fn(&str) -> Option<&'a str>, clock: Duration) -> Self {
        let number = |name: &str| header(name).and_then(|text| text.trim().parse::<u64>().ok());
        let now = header("date").and_then(date);
        let seconds = |text: &str| text.trim().parse::<f64>().ok().and_then(|s| Duration::try_from_secs_f64(s).ok());
        Self {
            limit: number("x-ratelimit-limit"),
            remaining: number("x-ratelimit-remaining"),
            reset: number("x-ratelimit-reset").map(Duration::from_secs),
            retry_after: number("retry-after-ms").map(Duration::from_millis).or_else(|| {
                let text = header("retry-after")?;
                seconds(text).or_else(|| date(text).map(|at| at.saturating_sub(now.unwrap_or(clock))))
            }),
            date: now,
        }
    }

    /// Gives the time that a refused request has to wait, at a time of the server's clock. A
    /// `retry-after` that only rounds the time until the reset up to whole seconds is not waited for.
    #[must_use]
    pub fn wait(&self, now: Duration) -> Option<Duration> {
        let reset_in = self.reset.map(|reset| reset.saturating_sub(now));
        let is_rounded =
            |told: Duration, exact| told.checked_sub(exact).is_some_and(|more| more <= Duration::from_secs(1));
        match (self.retry_after, reset_in) {
            (Some(told), Some(exact)) if is_rounded(told, exact) => Some(exact),
            (told, exact) => told.or(exact),
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
    /// The time by the server's clock.
    pub now: Duration,
    /// Which attempt it was, from 1.
    pub number: u32,
    /// How long this request has waited so far.
    pub waited: Duration,
    /// How long it may wait in all.
    pub max_wait: Duration,
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
        Ended::Answered(429) => attempt.limits.wait(attempt.now),
        Ended::Answered(_) => attempt.limits.retry_after,
        Ended::Garbled | Ended::Unsent | Ended::Lost => None,
    };
    let wait = match told {
        // Everybody who was refused waits for the same moment; a little chance spreads them.
        Some(told) => told.saturating_add(FIRST_BACKOFF.mul_f64(attempt.jitter.clamp(0.0, 1.0))),
        None => backoff(attempt.number, attempt.jitter),
    };
    if attempt.waited.saturating_add(wait) <= attempt.max_wait {
        return Next::Wait(wait);
    }
    let most = words(attempt.max_wait);
    Next::GiveUp(match told {
        Some(_) => {
            format!("the API asks to wait {} more, and tenantctl waits {most} at most for one request", words(wait))
        }
        None => format!("gave up: tenantctl waits {most} at most for one request (--max-wait)"),
    })
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Attempt, Ended, Limits, Next, Pacing, Repeat, next};

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn limits(headers: &[(&str, &'static str)]) -> Limits {
        Limits::read(|name| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value), NOW)
    }

    fn attempt(ended: Ended, repeat: Repeat, limits: Limits) -> Attempt {
        let max_wait = Pacing::default().max_wait;
        // As the server that says `date` in the tests below, or as ours.
        let now = limits.date.unwrap_or(NOW);
        Attempt { ended, limits, now, number: 1, waited: Duration::ZERO, max_wait, repeat, jitter: 0.0 }
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
        let cases: [(&[(&str, &'static str)], u64); 8] = [
            (&[("retry-after-ms", "1500"), ("retry-after", "9")], 1500),
            (&[("retry-after", "9"), ("x-ratelimit-reset", "1700000030")], 9000),
            (&[("retry-after", "31"), ("x-ratelimit-reset", "1700000030")], 30_000),
            (&[("retry-after", "60"), ("x-ratelimit-reset", "1700000030")], 60_000),
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
        }
        let fifth = Attempt { number: 5, ..attempt(Ended::Lost, Repeat::Always, Limits::default()) };
        assert!(matches!(next(&fifth), Next::GiveUp(why) if why.contains("5 attempts")));
        let tired =
            Attempt { waited: Pacing::default().max_wait, ..attempt(Ended::Lost, Repeat::Always, Limits::default()) };
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
}
