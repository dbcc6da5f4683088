//! Words for messages: plurals, lists of names, and the nearest known name.
//!
//! Knows nothing of kinds or tenants; every room that speaks to a person uses it.

use std::borrow::Cow;
use std::fmt::Write;

/// Joins a count and its noun: `1 change`, `3 changes`. Nouns that end in `y` become `ies`.
#[must_use]
pub fn plural(count: usize, noun: &str) -> String {
    match (count, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) if !stem.ends_with(['a', 'e', 'o']) => format!("{count} {stem}ies"),
        _ => format!("{count} {noun}s"),
    }
}

/// Lists names in backticks: `` `a`, `b` or `c` ``.
#[must_use]
pub fn one_of<S: AsRef<str>>(names: &[S]) -> String {
    let ticked: Vec<String> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match ticked.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// Escapes one part of a JSON Pointer (RFC 6901, section 3).
#[must_use]
pub fn escape(part: &str) -> Cow<'_, str> {
    if part.contains(['~', '/']) { part.replace('~', "~0").replace('/', "~1").into() } else { part.into() }
}

/// Writes bytes in hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Gives the text of one part of a JSON Pointer.
#[must_use]
pub fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// Tells whether a text is one label of a host name (RFC 1123, section 2.1): letters, digits and inner
/// hyphens, at most 63.
#[must_use]
pub fn is_host_label(text: &str) -> bool {
    let is_bounded = (1..=63).contains(&text.len()) && !text.starts_with('-') && !text.ends_with('-');
    is_bounded && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Finds the known name nearest to a misspelt one, if it is near enough to be meant.
///
/// At most a third of the longer name's characters may differ (Levenshtein, with a swap of
/// neighbours as one), or the names must be equal but for case and separators.
#[must_use]
pub fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace(['_', '-', ' '], "");
    let wanted = plain(wrong);
    known
        .into_iter()
        .filter(|name| *name != wrong)
        .filter_map(|name| {
            let candidate = plain(name);
            let bound = wanted.chars().count().max(candidate.chars().count()).div_ceil(3);
            let distance = edit_distance(&wanted, &candidate);
            (distance <= bound && distance < candidate.chars().count().max(1)).then_some((distance, name))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Counts the insertions, deletions, substitutions and swaps of neighbours between two words.
fn edit_distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let mut cost = (above[j] + usize::from(a != b)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[to.len()]
}

/// Tells whether a text fits a pattern in which `*` stands for any text, slashes too.
#[must_use]
pub fn fits(pattern: &str, text: &str) -> bool {
    if pattern.contains('\\') {
        return fits_parts(&literal_parts(pattern), text);
    }
    fits_parts(&pattern.split('*').collect::<Vec<_>>(), text)
}

/// Writes a name as a pattern that nothing else fits.
#[must_use]
pub fn exactly(name: &str) -> String {
    name.replace('\\', "\\\\").replace('*', "\\*")
}

fn fits_parts<S: AsRef<str>>(parts: &[S], text: &str) -> bool {
    let Some((first, parts)) = parts.split_first() else { return text.is_empty() };
    let Some(mut rest) = text.strip_prefix(first.as_ref()) else { return false };
    let Some((last, parts)) = parts.split_last() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part.as_ref()) {
            Some(at) => rest = &rest[at + part.as_ref().len()..],
            None => return false,
        }
    }
    rest.len() >= last.as_ref().len() && rest.ends_with(last.as_ref())
}

/// Splits a pattern at each `*` that has no backslash before it.
fn literal_parts(pattern: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = characters.next_if(|next| character == '\\' && matches!(next, '*' | '\\'));
        if character == '*' {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(escaped.unwrap_or(character));
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::{did_you_mean, exactly, fits, one_of, plural};

    #[test]
    fn counts_take_the_plural_that_fits_the_noun() {
        assert_eq!(plural(1, "change"), "1 change");
        assert_eq!(plural(2, "reply"), "2 replies");
        assert_eq!(plural(0, "key"), "0 keys");
    }

    #[test]
    fn lists_of_names_end_with_or() {
        assert_eq!(one_of(&["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(one_of(&["a"]), "`a`");
    }

    #[test]
    fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
        assert_eq!(did_you_mean("callbcaks", ["callbacks", "name"]), Some("callbacks"));
        assert_eq!(did_you_mean("tokenLifetime", ["token_lifetime"]), Some("token_lifetime"));
        assert_eq!(did_you_mean("zzz", ["callbacks", "name"]), None);
    }

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(fits("clients/*", "clients/a/b"));
        assert!(fits("*(internal)", "Billing (internal)"));
        assert!(fits("a*b*c", "a-b-b-c"));
        assert!(!fits("a*a", "a"));
        assert!(!fits("clients", "clients2"));
    }

    #[test]
    fn a_star_behind_a_backslash_is_a_star() {
        for name in ["a*b", "*", "a\\*b", "a\\b", "plain"] {
            assert!(fits(&exactly(name), name), "{name}");
        }
        assert!(!fits(&exactly("a*b"), "axb") && fits("a\\*b*", "a*bc") && !fits("a\\*b*", "axbc"));
    }
}
