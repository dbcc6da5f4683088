//! One line of a user's file, fit to be shown: secrets masked, cut around the place that matters.
//!
//! `problem` puts what comes out of here into a report. Masking looks at the text alone, because a
//! file that can't be parsed has problems too: a line is masked from the value of a secret field on,
//! and whole where it lies inside one (deeper indentation, or a PEM block).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::error::Origin;
use crate::kinds::Registry;
use crate::kinds::kind::Fields;
use crate::kinds::secrets::SLIPS;
use crate::secret::{MASK, Secrets};
use crate::text::did_you_mean;

/// The most characters of a line that are shown.
const WIDEST: usize = 100;

/// Shorter names are not compared with misspelt ones.
const SHORTEST: usize = 6;

/// What is never shown of a file: the values of secret fields, by name, and the secrets of this run.
#[derive(Debug, Clone, Default)]
pub struct Cover {
    /// By kind: a member that is secret in one kind may be anything in another.
    kinds: BTreeMap<String, Names>,
    /// Those of all kinds.
    all: Names,
    secrets: Secrets,
}

/// Names of fields.
#[derive(Debug, Clone, Default)]
struct Names {
    secret: BTreeSet<String>,
    other: BTreeSet<String>,
}

impl Cover {
    /// Collects the names from the declarations.
    #[must_use]
    pub fn of(registry: &Registry, secrets: Secrets) -> Self {
        let mut cover = Self { secrets, ..Self::default() };
        for kind in registry {
            let mut names = Names::default();
            names.add(&kind.fields);
            let cases = kind.variants.iter().flat_map(|variants| &variants.cases);
            cases.for_each(|case| names.add(&case.fields));
            cover.all.secret.extend(names.secret.iter().cloned());
            cover.all.other.extend(names.other.iter().cloned());
            cover.kinds.insert(kind.name.clone(), names);
        }
        cover
    }

    /// Gives the names that count in a line: those of the kind under whose key it stands, else all.
    fn names(&self, text: &str, first: usize, line: &str) -> &Names {
        let top = |line: &str| {
            let (name, _) = keys(line).next()?;
            line.trim_start_matches(['"', '\'']).starts_with(name).then(|| name.to_owned())
        };
        let above = text[..first].lines().rev();
        let kind = std::iter::once(line).chain(above).find_map(top);
        kind.and_then(|kind| self.kinds.get(&kind)).unwrap_or(&self.all)
    }
}

impl Names {
    fn add(&mut self, fields: &Fields) {
        for field in fields {
            let names = if field.secret { &mut self.secret } else { &mut self.other };
            names.insert(field.name.clone());
            names.extend(field.alias.iter().cloned());
            names.extend(field.convert.iter().map(|convert| convert.wire.clone()));
            self.add(&field.fields);
            let items = std::iter::successors(field.items.as_deref(), |items| items.items.as_deref());
            items.for_each(|items| self.add(&items.fields));
        }
    }

    /// Tells whether a name is that of a secret field, or can only have been meant for one.
    fn has(&self, name: &str) -> bool {
        if self.secret.contains(name) {
            return true;
        }
        let all = || self.secret.iter().chain(&self.other).map(String::as_str);
        let near = || did_you_mean(name, all().filter(|known| known.len() >= SHORTEST));
        !self.other.contains(name)
            && name.len() >= SHORTEST
            && near().is_some_and(|near| near.len().abs_diff(name.len()) <= SLIPS && self.secret.contains(near))
    }
}

/// A line and the part of it that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Excerpt {
    /// The line's number, from 1.
    pub(super) line: usize,
    /// Where the meant part begins in the file's line, in characters from 1.
    pub(super) column: usize,
    /// What is shown of the line.
    pub(super) text: String,
    /// The meant part in `text`, in bytes.
    pub(super) span: Range<usize>,
}

impl Excerpt {
    /// Takes the first line of an origin's span out of its file.
    pub(super) fn of(origin: &Origin, cover: &Cover) -> Self {
        let text = origin.source.text.as_str();
        let at = |offset: usize| floor(text, offset.min(text.len()));
        let (start, end) = (at(origin.span.0), at(origin.span.1.max(origin.span.0)));
        let first = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let last = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
        let line = text[first..last].trim_end_matches('\r');
        let span = (start - first).min(line.len())..(end.min(last) - first).min(line.len());
        let (line, span) = masked(text, first, line, span, cover);
        let (line, span) = hidden(line, span, &cover.secrets);
        let (text, span) = cut(&line, span);
        Self { line: origin.line(), column: origin.column(), text, span }
    }
}

fn floor(text: &str, mut offset: usize) -> usize {
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// Masks the secret part of a line, and moves the span onto the mask where it was inside.
fn masked(text: &str, first: usize, line: &str, span: Range<usize>, cover: &Cover) -> (String, Range<usize>) {
    let indent = line.len() - line.trim_start().len();
    let names = cover.names(text, first, line);
    let from = if is_inside_pem(&text[..first]) || is_inside_secret(&text[..first], line, names) {
        Some(indent)
    } else {
        let is_pair = is_beside_secret(text, first, line);
        let value = keys(line).find(|(name, _)| names.has(name) || is_pair && *name == "value");
        let value = value.map(|(_, colon)| colon + 1);
        [value, line.find("-----BEGIN ")].into_iter().flatten().min()
    };
    // Nothing but blanks after the colon: the value stands on the lines below.
    let Some(from) = from.filter(|from| !line[*from..].trim().is_empty()) else { return (line.to_owned(), span) };
    let start = from + (line[from..].len() - line[from..].trim_start().len());
    let shown = format!("{}{MASK}", &line[..start]);
    let span = if span.start >= start {
        start..shown.len()
    } else {
        span.start..if span.end > start { shown.len() } else { span.end }
    };
    (shown, span)
}

/// Hides the secrets of this run in a line: before it is cut, because half a secret is not found.
fn hidden(line: String, span: Range<usize>, secrets: &Secrets) -> (String, Range<usize>) {
    let shown = secrets.hide(&line);
    if shown == line {
        return (line, span);
    }
    let (before, after) = (secrets.hide(&line[..span.start]), secrets.hide(&line[span.end..]));
    let start = if shown.starts_with(&before) { before.len() } else { 0 };
    let end = if shown.ends_with(&after) { shown.len() - after.len() } else { shown.len() };
    (shown, start..end.max(start))
}

/// Tells whether a line, the one above or the one below speaks of `secret`, as the definition of a
/// secret keyword does: its value is masked in a file that can't be parsed too.
fn is_beside_secret(text: &str, first: usize, line: &str) -> bool {
    let above = text[..first].trim_end_matches(['\r', '\n']);
    let above = &above[above.rfind('\n').map_or(0, |at| at + 1)..];
    let below = text[first + line.len()..].trim_start_matches(['\r', '\n']).lines().next().unwrap_or_default();
    [above, line, below].into_iter().any(|line| keys(line).any(|(name, _)| name == "secret"))
}

fn is_inside_pem(before: &str) -> bool {
    before.rfind("-----BEGIN ").is_some_and(|begin| !before[begin..].contains("-----END "))
}

/// Goes through what looks like a key of a mapping in a line, with the place of its colon.
fn keys(line: &str) -> impl Iterator<Item = (&str, usize)> {
    line.match_indices(':').filter_map(|(colon, _)| {
        let before = line[..colon].trim_end().trim_end_matches(['"', '\'']);
        let start = before
            .rfind(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        Some((&before[start..], colon)).filter(|(name, _)| !name.is_empty())
    })
}

/// Tells whether a secret field is among the keys around a line: those above it that stand further
/// to the left.
fn is_inside_secret(before: &str, line: &str, names: &Names) -> bool {
    let column = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let is_item = |line: &str| line.trim_start_matches(' ').starts_with("- ") || line.trim() == "-";
    let (mut edge, mut in_item) = (column(line), is_item(line));
    for above in before.lines().rev().filter(|line| !line.trim().is_empty()) {
        if edge == 0 && !in_item {
            break;
        }
        let dash = column(above);
        let key = if is_item(above) { dash + 1 + column(&above[dash + 1..]) } else { dash };
        let is_around = |column: usize| column < edge || (column == edge && in_item && !is_item(above));
        if is_around(key) {
            if keys(above).next().is_some_and(|(name, colon)| names.has(name) && key < colon) {
                return true;
            }
            (edge, in_item) = (key, false);
        }
        if is_item(above) && dash < edge {
            (edge, in_item) = (dash, true);
        }
    }
    false
}

/// Shortens a line to [`WIDEST`] characters around a span, and the span with it.
fn cut(line: &str, span: Range<usize>) -> (String, Range<usize>) {
    if line.chars().count() <= WIDEST {
        return (line.to_owned(), span);
    }
    let start = line[..span.start].chars().count();
    let wanted = line[span.clone()].chars().count().min(WIDEST / 2);
    let lead = (WIDEST - wanted) / 2;
    let skip = start.saturating_sub(lead);
    let starts: Vec<usize> = line.char_indices().map(|(at, _)| at).chain([line.len()]).collect();
    let from = starts[skip];
    let to = starts[(skip + WIDEST).min(starts.len() - 1)];
    let before = if from > 0 { "…" } else { "" };
    let after = if to < line.len() { "…" } else { "" };
    let shift = |at: usize| at.clamp(from, to) - from + before.len();
    (format!("{before}{}{after}", &line[from..to]), shift(span.start)..shift(span.end))
}

#[cfg(test)]
mod tests {
    use super::{Cover, Excerpt};
    use crate::error::{Origin, SourceText};
    use crate::kinds::Registry;
    use crate::secret::Secrets;

    fn excerpt(text: &str, meant: &str) -> Excerpt {
        let source = SourceText::new("tenant.yaml", text);
        let at = text.find(meant).unwrap();
        Excerpt::of(&Origin::new(&source, at..at + meant.len()), &Cover::of(Registry::builtin(), Secrets::default()))
    }

    #[test]
    fn the_value_of_a_secret_field_is_masked() {
        for (text, meant, shown, marked) in [
            ("client_secret: hunter2\n", "client_secret", "client_secret: (sensitive)", "client_secret"),
            ("client_secret: hunter2\n", "hunter2", "client_secret: (sensitive)", "(sensitive)"),
            ("sink: { datadogApiKey: hunter2 ]\n", "{", "sink: { datadogApiKey: (sensitive)", "{"),
            ("{ name: x, \"client_secret\" : hunter2 }", "x", "{ name: x, \"client_secret\" : (sensitive)", "x"),
            ("a: b\nclient_secret:\n  hunter2\n", "hunter2", "  (sensitive)", "(sensitive)"),
            ("client_secret: |\n  one\n\n    two\n", "two", "    (sensitive)", "(sensitive)"),
            ("- client_secret: >-\n    one\n  name: x\n", "x", "  name: x", "x"),
            ("credentials:\n- kid: a\n  alg: RS265\n", "RS265", "  (sensitive)", "(sensitive)"),
            ("credentials:\n- name: a\nafter: b\n", "b", "after: b", "b"),
            ("my_client_secret_note: fine\n", "fine", "my_client_secret_note: fine", "fine"),
            ("x: \"-----BEGIN PRIVATE KEY-----\\nMII\"\n", "x", "x: \"(sensitive)", "x"),
            (
                "x: |\n  -----BEGIN PUBLIC KEY-----\n  MIIB\n  -----END PUBLIC KEY-----\n",
                "MIIB",
                "  (sensitive)",
                "(sensitive)",
            ),
        ] {
            let found = excerpt(text, meant);
            assert_eq!(found.text, shown, "{text}");
            assert_eq!(&found.text[found.span.clone()], marked, "{text}");
        }
    }

    #[test]
    fn what_is_secret_in_one_kind_is_shown_in_another() {
        let scope = "- { value: read:a, descripton: b }";
        for (kind, shown) in
            [("resourceServers", scope), ("actions", "- { value: (sensitive)"), ("reslts", "- { value: (sensitive)")]
        {
            let found = excerpt(&format!("{kind}:\n- name: x\n  list:\n  {scope}\n"), "descripton");
            assert_eq!(found.text.trim(), shown, "{kind}");
        }
    }

    #[test]
    fn long_lines_are_cut_around_the_span() {
        let text = format!("a: {}é😀needle{}\n", "x".repeat(500), "ü".repeat(5000));
        let found = excerpt(&text, "needle");
        assert_eq!(&found.text[found.span.clone()], "needle");
        assert!(found.text.starts_with('…') && found.text.ends_with('…'));
        assert!(found.text.chars().count() <= super::WIDEST + 2);
        assert_eq!((found.line, found.column), (1, 506));
    }

    #[test]
    fn a_secret_of_this_run_is_hidden_even_where_the_line_is_cut() {
        let secrets = Secrets::default();
        let secret = format!("s3cret{}", "0123456789".repeat(20));
        secrets.learn(&secret);
        let source = SourceText::new("a.yaml", format!("name: {secret} after\n"));
        let at = source.text.find("after").unwrap();
        let found = Excerpt::of(&Origin::new(&source, at..at + 5), &Cover::of(Registry::builtin(), secrets));
        assert_eq!(found.text, "name: (sensitive) after");
        assert_eq!(&found.text[found.span.clone()], "after");
    }

    #[test]
    fn any_span_of_any_text_gives_an_excerpt() {
        for text in ["", "\n", "a", "a\r\n", "é", "😀: ü\n\n", "a: b\nc: d"] {
            let source = SourceText::new("a.yaml", text);
            for start in 0..text.len() + 3 {
                for end in 0..text.len() + 3 {
                    let found = Excerpt::of(&Origin::new(&source, start..end), &Cover::default());
                    assert!(found.text.get(found.span.clone()).is_some(), "{text:?} {start}..{end}");
                }
            }
        }
    }
}
