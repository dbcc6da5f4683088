//! Puts keywords into a text: `##KEY##` and `@@KEY@@` before YAML is parsed, as the Deploy CLI does
//! it, and a stand-in for every `${{ expression }}` and every marker without a value.
//!
//! Pure. A stand-in is a number between two characters that the text does not have; it survives
//! every YAML style, so the parser sees a harmless text. `fill` takes it from there.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::javascript::{json_text, plain_text};
use super::keywords::{Keywords, next_marker};
use super::offsets::{Replaced, Replacement};
use crate::error::{Origin, Problems, SourceText};

/// A text after substitution.
#[derive(Debug)]
pub struct Substituted {
    /// The text as the user wrote it.
    pub source: Arc<SourceText>,
    pub(crate) replaced: Replaced,
    /// What the stand-ins stand for.
    pub(crate) holes: Vec<Hole>,
    /// The character around the number of a stand-in.
    pub(crate) mark: char,
    /// The keywords that went in.
    pub used: BTreeSet<String>,
}

/// What a stand-in stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hole {
    /// An expression, and where its text begins in the file.
    Expression { text: String, at: usize },
    /// A marker that can't be replaced, as it was written.
    Marker { keyword: String, written: String },
    /// `${{` without its end on the same line.
    Unclosed,
}

impl Substituted {
    fn new(source: &Arc<SourceText>, keywords: &Keywords) -> Self {
        Self {
            source: Arc::clone(source),
            replaced: Replaced::new(&source.text),
            holes: Vec::new(),
            mark: mark(&source.text, keywords),
            used: BTreeSet::new(),
        }
    }

    /// Gives the text with stand-ins.
    #[must_use]
    pub fn text(&self) -> &str {
        self.replaced.text()
    }

    /// Gives the place in the user's file.
    #[must_use]
    pub fn origin(&self, range: &Range<usize>) -> Origin {
        Origin::new(&self.source, self.replaced.origin(range))
    }

    /// Tells whether a secret stands in a range.
    #[must_use]
    pub fn is_secret(&self, range: &Range<usize>) -> bool {
        self.replaced.is_secret(range)
    }

    /// Finds the stand-ins in a part of the text, or in a scalar's text: each with its range.
    pub(crate) fn stand_ins(&self, text: &str) -> Vec<(Range<usize>, &Hole)> {
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(start) = text[from..].find(self.mark).map(|at| from + at) {
            let inside = start + self.mark.len_utf8();
            let Some(end) = text[inside..].find(self.mark).map(|at| inside + at) else { break };
            from = end + self.mark.len_utf8();
            let hole = text[inside..end].parse::<usize>().ok().and_then(|number| self.holes.get(number));
            found.extend(hole.map(|hole| (start..from, hole)));
        }
        found
    }
}

/// Puts keywords into the text of a definition, with stand-ins for what is evaluated later.
#[must_use]
pub fn definitions(source: &Arc<SourceText>, keywords: &Keywords) -> Substituted {
    let mut substituted = Substituted::new(source, keywords);
    expressions(&mut substituted);
    values(&mut substituted, keywords);
    missing(&mut substituted);
    substituted
}

/// Puts keywords into the text of a companion file; markers without a value are problems there.
pub fn companion(
    source: &Arc<SourceText>,
    keywords: &Keywords,
    environment: &str,
    problems: &mut Problems,
) -> Substituted {
    let mut substituted = Substituted::new(source, keywords);
    values(&mut substituted, keywords);
    let text = substituted.text();
    let mut tell = |range: &Range<usize>, name: &str, written: &str| {
        let problem = keywords.unreplaced(name, written, environment);
        problems.push(problem.at(Some(substituted.origin(range))));
    };
    for (range, hole) in substituted.stand_ins(text) {
        if let Hole::Marker { keyword, written } = hole {
            tell(&range, keyword, written);
        }
    }
    let mut from = 0;
    while let Some((range, name)) = next_marker(text, from) {
        tell(&range, name, &text[range.clone()]);
        from = range.end;
    }
    substituted
}

/// Picks a character that neither the text nor a value has, from Unicode's private use area.
fn mark(text: &str, keywords: &Keywords) -> char {
    let values: Vec<String> =
        keywords.iter().filter_map(|(_, keyword)| keyword.value.as_ref().map(Value::to_string)).collect();
    let is_free = |mark: &char| !text.contains(*mark) && !values.iter().any(|value| value.contains(*mark));
    ('\u{e000}'..='\u{f8ff}').chain('\u{f0000}'..='\u{ffffd}').find(is_free).unwrap_or('\u{e000}')
}

/// Puts a stand-in in the place of each `${{ ... }}`.
fn expressions(substituted: &mut Substituted) {
    const OPEN: &str = "${{";
    let text = substituted.replaced.text().to_owned();
    let mut replacements = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find(OPEN).map(|at| from + at) {
        let inside = start + OPEN.len();
        let (hole, end) = match expression_end(&text[inside..]) {
            Some(length) => {
                let written = &text[inside..inside + length];
                let blanks = written.len() - written.trim_start().len();
                (Hole::Expression { text: written.trim().to_owned(), at: inside + blanks }, inside + length + 2)
            }
            None => (Hole::Unclosed, inside),
        };
        replacements.push(Replacement { range: start..end, text: stand_in(substituted, hole), is_secret: false });
        from = end;
    }
    substituted.replaced.replace(&replacements);
}

/// Finds the `}}` that ends an expression: on the same line, outside quotes and inner braces.
fn expression_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    // The quote that is open, and whether it was written with a backslash, as in a quoted scalar.
    let mut quote: Option<(u8, bool)> = None;
    let mut is_escaped = false;
    for (at, byte) in bytes.iter().copied().enumerate() {
        match (byte, quote) {
            (b'\n', _) => return None,
            (b'\\', _) if !is_escaped => {
                is_escaped = true;
                continue;
            }
            (b'\'' | b'"', None) => quote = Some((byte, is_escaped)),
            (_, Some((open, was_escaped))) if byte == open && was_escaped == is_escaped => quote = None,
            (b'{', None) => depth += 1,
            (b'}', None) if depth > 0 => depth -= 1,
            (b'}', None) if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
        is_escaped = false;
    }
    None
}

/// Replaces all markers whose keyword has a value: first every `@@KEY@@`, then every `##KEY##`, key
/// by key in their order, so that a value may hold the marker of a later keyword. A map, of which
/// `##` can make no text, gets a stand-in.
fn values(substituted: &mut Substituted, keywords: &Keywords) {
    let named = named(substituted.text(), keywords);
    let wanted = || keywords.iter().filter(|(name, keyword)| !keyword.is_ambient || named.contains(*name));
    let known = || wanted().filter_map(|(name, keyword)| Some((name, keyword, keyword.value.as_ref()?)));
    for (name, keyword, value) in known() {
        let places = places(substituted.text(), &format!("@@{name}@@"), true);
        let text = if places.is_empty() { String::new() } else { json_text(value) };
        put(substituted, name, places, keyword.is_secret, |_| text.clone());
    }
    for (name, keyword, value) in known() {
        let marker = format!("##{name}##");
        let places = places(substituted.text(), &marker, false);
        let text = if places.is_empty() { None } else { plain_text(value) };
        put(substituted, name, places, keyword.is_secret, |substituted| match &text {
            Some(text) => text.clone(),
            None => stand_in(substituted, Hole::Marker { keyword: name.to_owned(), written: marker.clone() }),
        });
    }
}

/// Finds the names between marks in the text and in values, so that a large text is not searched for each
/// environment variable.
fn named(text: &str, keywords: &Keywords) -> BTreeSet<String> {
    let values = keywords.iter().filter_map(|(_, keyword)| keyword.value.as_ref()).map(Value::to_string);
    let mut names = BTreeSet::new();
    for text in values.chain([text.to_owned()]) {
        let mut from = 0;
        while let Some((range, name)) = next_marker(&text, from) {
            names.insert(name.to_owned());
            // The marks at its end may begin another.
            from = range.end - 2;
        }
    }
    names
}

/// Finds the places of a marker, each with the quotes that go with it: the same before and behind,
/// and not yet taken by the marker before.
fn places(text: &str, marker: &str, takes_quotes: bool) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut places = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find(marker).map(|at| from + at) {
        let end = start + marker.len();
        let quote = bytes[from..start].last().copied().filter(|byte| matches!(byte, b'\'' | b'"'));
        let is_quoted = takes_quotes && quote.is_some() && quote == bytes.get(end).copied();
        let place = if is_quoted { start - 1..end + 1 } else { start..end };
        from = place.end;
        places.push(place);
    }
    places
}

fn put(
    substituted: &mut Substituted,
    name: &str,
    places: Vec<Range<usize>>,
    is_secret: bool,
    mut text: impl FnMut(&mut Substituted) -> String,
) {
    if places.is_empty() {
        return;
    }
    substituted.used.insert(name.to_owned());
    let replacements: Vec<Replacement> =
        places.into_iter().map(|range| Replacement { range, text: text(substituted), is_secret }).collect();
    substituted.replaced.replace(&replacements);
}

/// Puts a stand-in in the place of each marker that is left, but for those that begin a line: there
/// `##NAME##` is a YAML comment, or a line of a text, where `fill` finds it.
fn missing(substituted: &mut Substituted) {
    let text = substituted.replaced.text().to_owned();
    let mut replacements = Vec::new();
    let mut from = 0;
    while let Some((range, name)) = next_marker(&text, from) {
        from = range.end;
        substituted.used.insert(name.to_owned());
        let line = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
        let begins_line = text[line..range.start].trim().trim_matches('#').is_empty();
        if begins_line && text[range.clone()].starts_with('#') {
            continue;
        }
        let hole = Hole::Marker { keyword: name.to_owned(), written: text[range.clone()].to_owned() };
        replacements.push(Replacement { range, text: stand_in(substituted, hole), is_secret: false });
    }
    substituted.replaced.replace(&replacements);
}

fn stand_in(substituted: &mut Substituted, hole: Hole) -> String {
    let mark = substituted.mark;
    let text = format!("{mark}{}{mark}", substituted.holes.len());
    substituted.holes.push(hole);
    text
}

#[cfg(test)]
mod tests {
    use super::{Hole, definitions, expression_end};
    use crate::config::keywords::Keywords;
    use crate::error::SourceText;

    #[test]
    fn markers_without_a_value_get_a_stand_in_but_not_where_they_begin_a_comment() {
        let source = SourceText::new("t.yaml", "##TITLE##\na: ##X## # ##Y##\n##### ##Z##\n");
        let substituted = definitions(&source, &Keywords::default());
        let names: Vec<&Hole> = substituted.holes.iter().collect();
        assert!(matches!(&names[0], Hole::Marker { keyword, .. } if keyword == "X"));
        assert!(substituted.text().starts_with("##TITLE##\n") && substituted.text().ends_with("\n##### ##Z##\n"));
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn an_expression_ends_at_braces_outside_quotes_and_inner_braces() {
        let cases = [
            (" a }} b", Some(3)),
            (" {'a': {'b': 1}} }}", Some(17)),
            (" '}}' }}", Some(6)),
            (" \\\"}}\\\" }}", Some(8)),
            (" a\n }}", None),
            (" 'a }}", None),
        ];
        for (text, end) in cases {
            assert_eq!(expression_end(text), end, "{text}");
        }
    }
}
