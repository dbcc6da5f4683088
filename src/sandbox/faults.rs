//! Trouble on purpose: what `--fault WHAT[@WHERE]` says, and which request it strikes.
//!
//! Pure, and it knows neither kinds nor answers: [`Script::decide`] counts requests and says what becomes of each,
//! by numbers of its own that look random and are a function of the seed, the fault and the request's number. `http`
//! carries it out.

use std::fmt;
use std::str::FromStr;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// Not handled; a refusal, or a failure, in the API's shape.
    Status {
        /// HTTP status.
        status: u16,
        /// Seconds after which to come again.
        retry_after: Option<u64>,
    },
    /// Not handled; the tenant's plan does not have it.
    Refuse,
    /// Not handled; a proxy's page with this status.
    Html(u16),
    /// Handled; the answer breaks off half way.
    Truncate,
    /// Not handled; the connection is reset.
    ResetBefore,
    /// Handled; the connection is reset without an answer.
    ResetAfter,
    /// Handled; the answer's body takes this many milliseconds.
    Slow(u64),
    /// Not handled, and never answered.
    Hang,
    /// Reads show the tenant as it was this many milliseconds ago.
    Lag(u64),
    /// The items of lists come in another order.
    Shuffle,
}

/// The names of what can go wrong, beside statuses.
pub const NAMES: [&str; 9] =
    ["html", "truncate", "reset-before", "reset-after", "slow", "hang", "lag", "shuffle", "refuse"];

/// Faults as they are written.
pub const EXAMPLES: [&str; 7] =
    ["429=2@3", "500@2-4", "503@10%", "html@GET /clients*", "reset-after@POST /clients#2", "lag=500", "shuffle"];

/// Why a text is no fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    message: String,
    /// The word in the place of what goes wrong, if that is what nobody knows.
    pub unknown: Option<String>,
}

impl Wrong {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), unknown: None }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Wrong {}

/// Which of the requests that come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// From this one, counted from 1, to that one; without an end, to the last.
    Numbers(u64, Option<u64>),
    /// So many of a hundred.
    Percent(u64),
}

/// What goes wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    what: What,
    /// What goes wrong, as it was written.
    text: String,
    method: Option<String>,
    /// Which paths, `*` for any text.
    path: Option<String>,
    which: Which,
}

impl Fault {
    /// Gives what goes wrong.
    #[must_use]
    pub fn what(&self) -> What {
        self.what
    }
}

impl FromStr for Fault {
    type Err = Wrong;

    /// Reads `WHAT[@WHERE]`.
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let (what, place) = text.split_once('@').map_or((text, None), |(what, place)| (what, Some(place.trim())));
        let everywhere = Which::Numbers(1, None);
        let mut fault =
            Self { what: read_what(what)?, text: what.to_owned(), method: None, path: None, which: everywhere };
        let Some(place) = place else { return Ok(fault) };
        if place.is_empty() {
            return Err(Wrong::new("nothing stands after `@`"));
        }
        let Some(at) = place.find('/') else {
            return Ok(Self { which: read_which(place)?, ..fault });
        };
        let method = place[..at].trim();
        if !method.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(Wrong::new(format!("`{method}` before the path is no method")));
        }
        fault.method = Some(method.to_uppercase()).filter(|method| !method.is_empty());
        let (path, which) =
            place[at..].rsplit_once('#').map_or((&place[at..], None), |(path, which)| (path, Some(which)));
        fault.path = Some(below_api(path.trim()).to_owned());
        fault.which = which.map_or(Ok(everywhere), read_which)?;
        Ok(fault)
    }
}

fn read_what(text: &str) -> Result<What, Wrong> {
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let number = |value: &str, unit: &str| {
        value.parse::<u64>().map_err(|_| Wrong::new(format!("`{value}` after `{name}=` is no number of {unit}")))
    };
    let status = |value: &str, least: u16| {
        let known = value.parse().ok().filter(|status| (least..600).contains(status));
        known.ok_or_else(|| Wrong::new(format!("`{value}` is no status from {least} to 599")))
    };
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        let status = status(name, 400)?;
        let seconds = value.map(|value| number(value, "seconds")).transpose()?;
        return Ok(What::Status { status, retry_after: seconds.or((status == 429).then_some(1)) });
    }
    match (name, value) {
        ("html", value) => Ok(What::Html(value.map_or(Ok(502), |value| status(value, 200))?)),
        ("slow", value) => Ok(What::Slow(value.map_or(Ok(1000), |value| number(value, "milliseconds"))?)),
        ("lag", Some(value)) => Ok(What::Lag(number(value, "milliseconds")?)),
        ("lag", None) => Err(Wrong::new("`lag` wants the milliseconds by which reads are late, as in `lag=500`")),
        ("truncate", None) => Ok(What::Truncate),
        ("reset-before", None) => Ok(What::ResetBefore),
        ("reset-after", None) => Ok(What::ResetAfter),
        ("hang", None) => Ok(What::Hang),
        ("shuffle", None) => Ok(What::Shuffle),
        ("refuse", None) => Ok(What::Refuse),
        (name, Some(_)) if NAMES.contains(&name) => Err(Wrong::new(format!("`{name}` takes no value"))),
        (name, _) => Err(Wrong { unknown: Some(name.to_owned()), ..Wrong::new(format!("there is no fault `{name}`")) }),
    }
}

fn read_which(text: &str) -> Result<Which, Wrong> {
    let number = |text: &str| text.trim().parse().ok().filter(|number| *number > 0u64);
    let which = if let Some(percent) = text.strip_suffix('%') {
        number(percent).filter(|percent| *percent <= 100).map(Which::Percent)
    } else if let Some((from, to)) = text.split_once('-') {
        let to = if to.trim().is_empty() { Some(None) } else { number(to).map(Some) };
        let range = number(from).zip(to).filter(|(from, to)| to.is_none_or(|to| *from <= to));
        range.map(|(from, to)| Which::Numbers(from, to))
    } else {
        number(text).map(|number| Which::Numbers(number, Some(number)))
    };
    which.ok_or_else(|| {
        Wrong::new(format!("`{text}` says of no request whether it is meant (`3`, `3-5`, `3-`, `10%` and a path do)"))
    })
}

/// Gives a path below `/api/v2` as it stands there, and any other one whole.
fn below_api(path: &str) -> &str {
    path.strip_prefix("/api/v2").filter(|rest| rest.starts_with('/')).unwrap_or(path)
}

/// A fault that strikes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strike {
    /// What goes wrong.
    pub what: What,
    /// What goes wrong, as it was written.
    pub text: String,
    /// A number that looks random, for what needs one.
    pub random: u64,
}

/// What becomes of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fate {
    /// The request's number, from 1.
    pub number: u64,
    /// What changes its answer.
    pub answer: Option<Strike>,
    /// Reads are late.
    pub lag: Option<Strike>,
    /// Lists are in another order.
    pub shuffle: Option<Strike>,
}

/// All faults of a server, with what they have seen so far.
#[derive(Debug)]
pub struct Script {
    faults: Vec<(Fault, u64)>,
    seed: u64,
    number: u64,
}

impl Script {
    /// Begins before the first request.
    #[must_use]
    pub fn new(faults: Vec<Fault>, seed: u64) -> Self {
        Self { faults: faults.into_iter().map(|fault| (fault, 0)).collect(), seed, number: 0 }
    }

    /// Tells by how many milliseconds reads are late at most; none if they never are.
    #[must_use]
    pub fn longest_lag(&self) -> Option<u64> {
        let lags = self.faults.iter().filter_map(|(fault, _)| match fault.what {
            What::Lag(millis) => Some(millis),
            _ => None,
        });
        lags.max()
    }

    /// Counts the next request, and says what becomes of it. Of several faults that fit, the first one strikes, but
    /// one that is late and one that changes the order go with any other.
    pub fn decide(&mut self, method: &str, path: &str) -> Fate {
        self.number += 1;
        let path = below_api(path);
        let mut fate = Fate { number: self.number, ..Fate::default() };
        for (at, (fault, seen)) in (0..).zip(&mut self.faults) {
            let is_there = fault.method.as_ref().is_none_or(|wanted| wanted == method)
                && fault.path.as_ref().is_none_or(|wanted| fits(wanted, path));
            if !is_there {
                continue;
            }
            *seen += 1;
            let random = mixed(mixed(self.seed ^ mixed(at)) ^ self.number);
            let is_meant = match fault.which {
                Which::Numbers(from, to) => from <= *seen && to.is_none_or(|to| *seen <= to),
                Which::Percent(percent) => random % 100 < percent,
            };
            let place = match fault.what {
                What::Lag(_) => &mut fate.lag,
                What::Shuffle => &mut fate.shuffle,
                _ => &mut fate.answer,
            };
            if is_meant && place.is_none() {
                *place = Some(Strike { what: fault.what, text: fault.text.clone(), random: mixed(random) });
            }
        }
        fate
    }
}

/// Brings items into an order that a number stands for.
pub fn shuffle<T>(items: &mut [T], random: u64) {
    for (round, end) in (1..items.len()).rev().enumerate() {
        let number = mixed(random.wrapping_add(round as u64));
        let choice = usize::try_from(number % (end as u64 + 1)).unwrap_or(end);
        items.swap(end, choice);
    }
}

/// Makes a number that looks random of another one: a step of SplitMix64 (Steele, Lea and Flood, "Fast splittable
/// pseudorandom number generators", 2014).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Tells whether a text fits a pattern in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text
            .strip_prefix(start)
            .is_some_and(|text| (0..=text.len()).filter_map(|at| text.get(at..)).any(|text| fits(rest, text))),
    }
}

#[cfg(test)]
#[path = "faults_tests.rs"]
mod tests;
