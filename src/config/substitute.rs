//! Puts keywords into a text: `##KEY##` and `@@KEY@@` before YAML is parsed, as the Deploy CLI does
//! it, and a stand-in for every `${{ expression }}` and every marker without a value.
//!
//! Pure. A stand-in is a number between two characters that the text does not have; it survives
//! every YAML style, so the parser sees a harmless text. `fill` takes it from there.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::keywords::{Keywords, next_marker, plain_text};
use super::offsets::{Replaced, Replacement};
use crate::error::{Origin, Problem, Problems, SourceText};

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
    /// A marker whose keyword has no value, as it was written.
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
pub fn definitions(source: &Arc<SourceText>, keywords: &Keywords, problems: &mut Problems) -> Substituted {
    let mut substituted = Substituted::new(source, keywords);
    expressions(&mut substituted);
    values(&mut substituted, keywords, problems);
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
    values(&mut substituted, keywords, problems);
    let mut from = 0;
    while let Some((range, name)) = next_marker(substituted.text(), from) {
        problems.push(keywords.without_value(name, environment).at(Some(substituted.origin(&range))));
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
        replacements.push(stand_in(substituted, hole, start..end));
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
/// by key in their order, so that a value may hold the marker of a later keyword.
fn values(substituted: &mut Substituted, keywords: &Keywords, problems: &mut Problems) {
    for (name, keyword) in keywords.iter() {
        let Some(value) = &keyword.value else { continue };
        let marker = format!("@@{name}@@");
        let json = javascript(value);
        replace(substituted, name, &marker, &json, keyword.is_secret, true);
    }
    for (name, keyword) in keywords.iter() {
        let Some(value) = &keyword.value else { continue };
        let marker = format!("##{name}##");
        match plain_text(value) {
            Some(text) => replace(substituted, name, &marker, &text, keyword.is_secret, false),
            None => {
                for (start, _) in substituted.text().match_indices(&marker) {
                    let message = format!("the keyword `{name}` is a map, of which `{marker}` can make no text");
                    let origin = substituted.origin(&(start..start + marker.len()));
                    problems.push(Problem::error(message).at(Some(origin)).hint(format!("write `@@{name}@@`")));
                }
            }
        }
    }
}

fn replace(substituted: &mut Substituted, name: &str, marker: &str, value: &str, is_secret: bool, takes_quotes: bool) {
    let text = substituted.replaced.text();
    let bytes = text.as_bytes();
    let replacements: Vec<Replacement> = text
        .match_indices(marker)
        .map(|(start, _)| {
            let end = start + marker.len();
            let quote = start.checked_sub(1).map(|before| bytes[before]).filter(|byte| matches!(byte, b'\'' | b'"'));
            let is_quoted = takes_quotes && quote.is_some() && quote == bytes.get(end).copied();
            let range = if is_quoted { start - 1..end + 1 } else { start..end };
            Replacement { range, text: value.to_owned(), is_secret }
        })
        .collect();
    if !replacements.is_empty() {
        substituted.used.insert(name.to_owned());
        substituted.replaced.replace(&replacements);
    }
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
        replacements.push(stand_in(substituted, hole, range));
    }
    substituted.replaced.replace(&replacements);
}

fn stand_in(substituted: &mut Substituted, hole: Hole, range: Range<usize>) -> Replacement {
    let mark = substituted.mark;
    let text = format!("{mark}{}{mark}", substituted.holes.len());
    substituted.holes.push(hole);
    Replacement { range, text, is_secret: false }
}

/// Writes JSON as JavaScript's `JSON.stringify` does.
fn javascript(value: &Value) -> String {
    match value {
        Value::Number(number) => super::scalar::number_text(number),
        Value::Array(items) => format!("[{}]", items.iter().map(javascript).collect::<Vec<_>>().join(",")),
        Value::Object(members) => {
            let members =
                members.iter().map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), javascript(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Hole, definitions, expression_end};
    use crate::config::keywords::{Keyword, Keywords};
    use crate::error::{Problems, SourceText};

    fn keywords(values: &[(&str, Value)]) -> Keywords {
        let mut keywords = Keywords::default();
        for (name, value) in values {
            let keyword = Keyword { value: Some(value.clone()), is_secret: false, variable: None, origin: None };
            keywords.set(*name, keyword);
        }
        keywords
    }

    /// The cases that were seen on the Deploy CLI (deploy-cli-format.md of the API facts, section 5).
    #[test]
    fn both_text_forms_do_what_the_deploy_cli_does() {
        let known = keywords(&[
            ("LATE", json!("##MORE##")),
            ("NUM", json!(5)),
            ("LIST", json!(["a", "b"])),
            ("TEXT", json!("say \"hi\" $1")),
            ("MORE", json!("\"b\", \"c\"")),
            ("EARLY", json!("##NUM##")),
        ]);
        let cases = [
            ("name: single-@@NUM@@", "name: single-5"),
            ("v: '##NUM##'", "v: '5'"),
            ("v: \"@@NUM@@\"", "v: 5"),
            ("v: '@@LIST@@'", "v: [\"a\",\"b\"]"),
            ("v: ##LIST##", "v: a,b"),
            ("v: @@TEXT@@", "v: \"say \\\"hi\\\" $1\""),
            ("v: [ \"a\", ##MORE## ]", "v: [ \"a\", \"b\", \"c\" ]"),
            ("v: ##LATE##", "v: \"b\", \"c\""),
        ];
        for (text, expected) in cases {
            let source = SourceText::new("t.yaml", text);
            let substituted = definitions(&source, &known, &mut Problems::default());
            assert_eq!(substituted.text(), expected, "{text}");
        }
        let source = SourceText::new("t.yaml", "v: ##EARLY##");
        let substituted = definitions(&source, &known, &mut Problems::default());
        assert_eq!(substituted.holes.len(), 1, "a keyword that comes earlier is not replaced again");
    }

    #[test]
    fn markers_without_a_value_get_a_stand_in_but_not_where_they_begin_a_comment() {
        let source = SourceText::new("t.yaml", "##TITLE##\na: ##X## # ##Y##\n##### ##Z##\n");
        let substituted = definitions(&source, &Keywords::default(), &mut Problems::default());
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
