//! What `sandbox serve` takes so that things go wrong: limits and faults, and the words for what is neither.

use crate::kinds::Registry;
use crate::sandbox::faults::{EXAMPLES, Fault, NAMES, Wrong};
use crate::sandbox::limit::RateLimit;
use crate::sandbox::router;
use crate::text::{did_you_mean, one_of};

/// What `--fault` takes.
pub(super) const FAULT_HELP: &str = "\
Let something go wrong; repeatable

WHAT is one of
  STATUS[=SECONDS]  400 to 599, not handled; with retry-after, which 429 always has (1)
  refuse            403, not handled: a feature that the tenant's plan lacks
  html[=STATUS]     a proxy's HTML page, not handled (502)
  truncate          handled, the answer breaks off half way
  reset-before      the connection is reset, not handled
  reset-after       handled, then the connection is reset without an answer
  slow[=MS]         handled, the answer's body takes MS (1000)
  hang              not handled, never answered
  lag=MS            reads show the tenant as it was MS ago
  shuffle           the items of lists come in another order, page by page

WHERE is every request, or one of
  N, N-M, N-        these requests, counted from 1
  P%                so many of a hundred
  [METHOD ]/PATH    a path below /api/v2, or /oauth/token; * is any text
  [METHOD ]/PATH#N  the Nth request that fits; N-M, N- and P% too

The first that fits strikes; lag and shuffle go with any. -vv tells each one.";

/// Reads a limit; its name must be one that endpoints have.
pub(super) fn rate_limit(text: &str) -> Result<RateLimit, String> {
    let limit: RateLimit = text.parse()?;
    let known = router::buckets(Registry::builtin());
    match limit.bucket.as_deref() {
        Some(name) if !known.contains(name) => {
            let names: Vec<&str> = known.into_iter().collect();
            let nearest = did_you_mean(name, names.iter().copied()).map(|name| format!("; did you mean `{name}`?"));
            let nearest = nearest.unwrap_or_else(|| format!(": name {}", one_of(&names)));
            Err(format!("no endpoint has the rate limit `{name}`{nearest}"))
        }
        _ => Ok(limit),
    }
}

/// Reads a fault.
pub(super) fn fault(text: &str) -> Result<Fault, String> {
    text.parse().map_err(|wrong: Wrong| {
        let nearest = wrong.unknown.as_deref().and_then(|name| did_you_mean(name, NAMES));
        let nearest = nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        format!("{wrong}{nearest}\n  faults are written as {}", one_of(&EXAMPLES))
    })
}
