//! Rate limits: what `--rate-limit` says, and buckets that count by it.
//!
//! Pure: `http` brings the clock, and names the bucket that a request draws from. A bucket holds at most its
//! burst and is filled at the top of seconds by the wall clock, so that a limit per minute drips evenly over the
//! minute. Headers and their meaning: auth-and-limits.md of the API facts, section 4.

use std::collections::HashMap;
use std::str::FromStr;

/// So many seconds has the longest period.
const MINUTE: u64 = 60;

/// How many requests fit into which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// So many requests are let in more in each period.
    pub amount: u32,
    /// The period, in seconds.
    pub period: u64,
    /// So many fit at once.
    pub burst: u32,
}

/// A limit, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// The bucket that a declaration names; without one, all that have no limit of their own.
    pub bucket: Option<String>,
    /// The limit.
    pub limit: Limit,
}

impl FromStr for RateLimit {
    type Err = String;

    /// Reads `[NAME=]N[/min][:BURST]`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (bucket, rest) = text.rsplit_once('=').map_or((None, text), |(name, rest)| (Some(name.trim()), rest));
        let (rate, burst) = rest.split_once(':').map_or((rest, None), |(rate, burst)| (rate, Some(burst)));
        let (amount, period) = rate.strip_suffix("/min").map_or((rate, 1), |amount| (amount, MINUTE));
        let number = |text: &str| {
            text.trim().parse().ok().filter(|number| *number > 0u32).ok_or_else(|| {
                format!("`{text}` is no number of requests: `10`, `10:50`, `25/min:5`, `NAME=10` are limits")
            })
        };
        let amount = number(amount)?;
        let burst = burst.map_or(Ok(amount), number)?;
        Ok(Self { bucket: bucket.map(str::to_owned), limit: Limit { amount, period, burst } })
    }
}

/// What a bucket says of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The request does not fit any more.
    pub is_over: bool,
    /// So many fit at once.
    pub burst: u32,
    /// So many fit now.
    pub left: u32,
    /// When one more fits, in seconds since 1970.
    pub reset: u64,
    /// When it was counted, in seconds since 1970.
    pub now: u64,
}

impl Count {
    /// Gives the headers that tell a client.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![
            ("x-ratelimit-limit", self.burst.to_string()),
            ("x-ratelimit-remaining", self.left.to_string()),
            ("x-ratelimit-reset", self.reset.to_string()),
        ];
        if self.is_over {
            headers.push(("retry-after", self.reset.saturating_sub(self.now).to_string()));
        }
        headers
    }
}

/// A bucket that counts.
#[derive(Debug)]
struct Bucket {
    limit: Limit,
    left: u32,
    /// The second at which it was last filled; none before the first request.
    filled: Option<u64>,
}

impl Bucket {
    fn new(limit: Limit) -> Self {
        Self { limit, left: limit.burst, filled: None }
    }

    /// Tells how many requests have been let in from 1970 on to the top of a second.
    fn due(&self, second: u64) -> u64 {
        u64::from(self.limit.amount).saturating_mul(second) / self.limit.period
    }

    fn take(&mut self, now: u64) -> Count {
        let filled = *self.filled.get_or_insert(now);
        if now > filled {
            let more = u32::try_from(self.due(now) - self.due(filled)).unwrap_or(u32::MAX);
            self.left = self.left.saturating_add(more).min(self.limit.burst);
            self.filled = Some(now);
        }
        let is_over = self.left == 0;
        self.left = self.left.saturating_sub(1);
        let reset = ((self.due(now) + 1) * self.limit.period).div_ceil(u64::from(self.limit.amount));
        Count { is_over, burst: self.limit.burst, left: self.left, reset, now }
    }
}

/// All buckets of a server.
#[derive(Debug)]
pub struct Limits {
    common: Option<Bucket>,
    named: HashMap<String, Bucket>,
}

impl Limits {
    /// Fills all buckets; of two limits of one bucket the last counts.
    #[must_use]
    pub fn new(limits: &[RateLimit]) -> Self {
        let mut made = Self { common: None, named: HashMap::new() };
        for RateLimit { bucket, limit } in limits {
            match bucket {
                None => made.common = Some(Bucket::new(*limit)),
                Some(name) => {
                    made.named.insert(name.clone(), Bucket::new(*limit));
                }
            }
        }
        made
    }

    /// Takes a request out of its own bucket, or out of the common one where that has no limit; `now` is in
    /// milliseconds since 1970.
    pub fn count(&mut self, bucket: Option<&str>, now: u64) -> Option<Count> {
        let own = bucket.and_then(|name| self.named.get_mut(name));
        Some(own.or(self.common.as_mut())?.take(now / 1000))
    }
}

#[cfg(test)]
mod tests {
    use super::{Limit, Limits, RateLimit};

    const NOON: u64 = 1_700_000_040;

    fn limits(texts: &[&str]) -> Limits {
        Limits::new(&texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<RateLimit>>())
    }

    #[test]
    fn limits_are_read_as_they_are_written() {
        let cases = [
            ("10", None, 10, 1, 10),
            ("2:10", None, 2, 1, 10),
            ("150/min:10", None, 150, 60, 10),
            ("write email-templates=25/min:5", Some("write email-templates"), 25, 60, 5),
            ("custom-domains=5/min", Some("custom-domains"), 5, 60, 5),
        ];
        for (text, bucket, amount, period, burst) in cases {
            let limit = Limit { amount, period, burst };
            assert_eq!(text.parse(), Ok(RateLimit { bucket: bucket.map(str::to_owned), limit }), "{text}");
        }
        for text in ["", "0", "x", "10:", "10:0", "-1", "10/h", "a=", "1.5"] {
            assert!(text.parse::<RateLimit>().unwrap_err().contains("no number of requests"), "{text}");
        }
    }

    #[test]
    fn a_bucket_is_filled_at_the_top_of_each_second_up_to_its_burst() {
        let mut limits = limits(&["2:3"]);
        // Milliseconds after noon, then: is it over, how many are left, when does one more fit?
        let cases = [
            (100, false, 2, 1),
            (200, false, 1, 1),
            (300, false, 0, 1),
            (999, true, 0, 1),
            (1000, false, 1, 2),
            (1001, false, 0, 2),
            (1999, true, 0, 2),
            (9000, false, 2, 10),
            // A clock that is set back fills nothing.
            (8000, false, 1, 9),
        ];
        for (after, is_over, left, reset) in cases {
            let count = limits.count(None, NOON * 1000 + after).unwrap();
            assert_eq!((count.is_over, count.left, count.reset - NOON), (is_over, left, reset), "{after}");
        }
    }

    #[test]
    fn a_limit_per_minute_drips_evenly() {
        let mut limits = limits(&["custom-domains=4/min:1"]);
        let mut take = |after| {
            let count = limits.count(Some("custom-domains"), (NOON + after) * 1000).unwrap();
            (count.is_over, count.reset - NOON)
        };
        assert_eq!(take(0), (false, 15));
        assert_eq!(take(14), (true, 15));
        assert_eq!(take(15), (false, 30));
        assert_eq!(take(16), (true, 30));
        let granted = (30..630).filter(|after| !take(*after).0).count();
        assert_eq!(granted, 40);
    }

    #[test]
    fn a_named_bucket_with_a_limit_does_not_draw_from_the_common_one() {
        let mut limits = limits(&["1", "own=2"]);
        let mut take = |bucket| limits.count(bucket, NOON * 1000).map(|count| (count.is_over, count.burst));
        assert_eq!(take(Some("own")), Some((false, 2)));
        assert_eq!(take(Some("other")), Some((false, 1)));
        assert_eq!(take(None), Some((true, 1)));
        assert_eq!(take(Some("own")), Some((false, 2)));
        assert_eq!(take(Some("own")), Some((true, 2)));
    }

    #[test]
    fn headers_say_when_to_come_again() {
        let mut limits = limits(&["a=1"]);
        assert_eq!(limits.count(None, NOON), None);
        assert_eq!(limits.count(Some("a"), 5000).unwrap().headers().len(), 3);
        let headers = limits.count(Some("a"), 5999).unwrap().headers();
        let expected = [("limit", "1"), ("remaining", "0"), ("reset", "6")]
            .map(|(name, value)| (format!("x-ratelimit-{name}"), value.to_owned()));
        assert!(headers[..3].iter().map(|(name, value)| ((*name).to_owned(), value.clone())).eq(expected));
        assert_eq!(headers[3], ("retry-after", "1".to_owned()));
    }
}
