//! Puts values in the place of stand-ins, scalar by scalar, while the YAML reader builds its tree.
//!
//! Pure. A scalar that is only an expression takes the value with its type; inside other text the
//! value must be one that is a text. A marker without a value is handed on where it is the whole
//! scalar, and is a problem elsewhere. What was filled in is noted for `render`.

use std::collections::BTreeSet;
use std::ops::Range;

use granit_parser::ScalarStyle;
use serde_json::Value;

use super::expression::{Evaluator, Failure, Outcome};
use super::javascript::plain_text;
use super::keywords::{Keywords, next_marker};
use super::substitute::{Hole, Substituted};
use super::variables::Variables;
use super::yaml::{Content, Reading, Scalar, Span};
use crate::error::{Origin, Problem, Problems};
use crate::secret::{MASK, Secrets};

/// Fills the stand-ins of one text.
pub struct Filler<'a> {
    substituted: &'a Substituted,
    keywords: &'a Keywords,
    variables: &'a Variables,
    evaluator: Evaluator<'a>,
    environment: &'a str,
    secrets: &'a Secrets,
    /// What is wrong with markers and expressions.
    pub problems: Problems,
    /// Names that expressions used: keywords, and `env.NAME`.
    pub used: BTreeSet<String>,
    /// The scalars with expressions, and what they are now as YAML.
    pub shown: Vec<(Range<usize>, String)>,
}

impl std::fmt::Debug for Filler<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filler").finish_non_exhaustive()
    }
}

impl<'a> Filler<'a> {
    /// Prepares for one text.
    #[must_use]
    pub fn new(
        substituted: &'a Substituted,
        keywords: &'a Keywords,
        variables: &'a Variables,
        environment: &'a str,
        secrets: &'a Secrets,
    ) -> Self {
        Self {
            substituted,
            keywords,
            variables,
            evaluator: Evaluator::new(keywords, variables),
            environment,
            secrets,
            problems: Problems::default(),
            used: BTreeSet::new(),
            shown: Vec::new(),
        }
    }

    /// Evaluates an expression, told apart from a quoted one by trying it as it stands first.
    fn evaluate(&mut self, text: &str, at: usize, style: ScalarStyle) -> Option<Outcome> {
        let plain = match style {
            ScalarStyle::DoubleQuoted => text.replace("\\\"", "\""),
            ScalarStyle::SingleQuoted => text.replace("''", "'"),
            _ => text.to_owned(),
        };
        let first = self.evaluator.evaluate(text, &mut self.used);
        let result = match first {
            Err(Failure::Wrong(..)) if plain != text => self.evaluator.evaluate(&plain, &mut self.used),
            other => other,
        };
        let origin =
            |range: Range<usize>| Some(Origin::new(&self.substituted.source, at + range.start..at + range.end));
        let problem = match result {
            Ok(outcome) => {
                if outcome.is_sensitive {
                    self.secrets.learn_value(&outcome.value);
                    let variables = self.used.iter().filter_map(|name| name.strip_prefix("env."));
                    variables.filter_map(|name| self.variables.get(name)).for_each(|value| self.secrets.learn(value));
                }
                return Some(outcome);
            }
            Err(Failure::Name(name)) => {
                let start = text.find(&name).unwrap_or(0);
                let known = self.keywords.without_value(&name, self.environment);
                known.at(origin(start..(start + name.len()).min(text.len())))
            }
            Err(Failure::Variable(name)) => {
                let message = format!("the environment variable `{name}`, which `env.{name}` asks for, is not set");
                Problem::error(message).at(origin(0..text.len())).hint(format!(
                    "set {name}, or give the expression something to fall back on: `env.{name} | default('...')`"
                ))
            }
            Err(Failure::Wrong(why, range)) => {
                let range = range.filter(|range| range.end <= text.len() && text.is_char_boundary(range.start));
                Problem::error(format!("the expression can't be evaluated: {why}"))
                    .at(origin(range.unwrap_or(0..text.len())))
            }
        };
        self.problems.push(problem);
        None
    }

    fn only(&mut self, hole: &Hole, style: ScalarStyle, span: &Span) -> Scalar {
        match hole {
            Hole::Marker { keyword, written } => self.marker(keyword, written, span),
            Hole::Unclosed => {
                self.unclosed(span);
                Scalar::broken()
            }
            Hole::Expression { text, at } => match self.evaluate(text, *at, style) {
                None => Scalar::broken(),
                Some(outcome) => {
                    self.show((span, style), &outcome.value, outcome.is_sensitive);
                    Scalar { content: Content::Value(outcome.value), is_sensitive: outcome.is_sensitive }
                }
            },
        }
    }

    /// Hands on a marker that is the whole scalar, unless it has a value that can't stand here.
    fn marker(&mut self, keyword: &str, written: &str, span: &Span) -> Scalar {
        if !self.keywords.has_value(keyword) {
            return Scalar { content: Content::Missing(keyword.to_owned()), is_sensitive: false };
        }
        let problem = self.keywords.unreplaced(keyword, written, self.environment);
        self.problems.push(problem.at(Some(self.substituted.origin(span))));
        Scalar::broken()
    }

    fn mixed(&mut self, text: &str, style: ScalarStyle, span: &Span) -> Scalar {
        let substituted = self.substituted;
        let mut filled = String::new();
        let mut is_sensitive = substituted.is_secret(span);
        let mut is_broken = false;
        let mut from = 0;
        for (range, hole) in substituted.stand_ins(text) {
            filled += &text[from..range.start];
            from = range.end;
            let put = match hole {
                Hole::Marker { keyword, written } => {
                    let problem = self.keywords.unreplaced(keyword, written, self.environment);
                    self.problems.push(problem.at(Some(self.place_of(written, hole, span))));
                    None
                }
                Hole::Unclosed => {
                    self.unclosed(span);
                    None
                }
                Hole::Expression { text, at } => self.evaluate(text, *at, style).and_then(|outcome| {
                    is_sensitive |= outcome.is_sensitive;
                    self.inside_text(&outcome.value, *at, text.len())
                }),
            };
            match put {
                Some(put) => filled += &put,
                None => is_broken = true,
            }
        }
        filled += &text[from..];
        if is_broken {
            return Scalar::broken();
        }
        let value = Value::from(filled);
        self.show((span, style), &value, is_sensitive);
        if is_sensitive {
            self.secrets.learn_value(&value);
        }
        Scalar { content: Content::Value(value), is_sensitive }
    }

    fn inside_text(&mut self, value: &Value, at: usize, length: usize) -> Option<String> {
        let what = match value {
            Value::Null => "null",
            Value::Array(_) => "a list",
            Value::Object(_) => "a map",
            value => return plain_text(value),
        };
        let origin = Origin::new(&self.substituted.source, at..at + length);
        let message = format!("the expression gives {what}, which can't stand inside a text");
        self.problems.push(
            Problem::error(message)
                .at(Some(origin))
                .hint("let the value be the expression alone, or make a text of it: `${{ LIST | join(',') }}`"),
        );
        None
    }

    /// Notes what a scalar is now, for `render`. JSON is YAML, and stands in every style.
    fn show(&mut self, (span, style): (&Span, ScalarStyle), value: &Value, is_sensitive: bool) {
        let yaml = if is_sensitive { MASK.to_owned() } else { value.to_string() };
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let start = if is_block { block_start(self.substituted.text(), span.start) } else { span.start };
        self.shown.push((start..span.end, yaml));
    }

    fn unclosed(&mut self, span: &Span) {
        let written = self.substituted.text();
        let place = self.substituted.stand_ins(&written[span.clone()]).into_iter();
        let place = place.filter(|(_, hole)| **hole == Hole::Unclosed).map(|(range, _)| range).next();
        let place = place.map_or(span.clone(), |range| span.start + range.start..span.start + range.end);
        let problem = Problem::error("`${{` has no `}}` on its line").at(Some(self.substituted.origin(&place)));
        self.problems.push(problem.hint("close it on the same line; a quote that is left open inside hides the end"));
    }

    /// Finds where a marker stands within a scalar.
    fn place_of(&self, written: &str, wanted: &Hole, span: &Span) -> Origin {
        let text = &self.substituted.text()[span.clone()];
        let stand_ins = self.substituted.stand_ins(text);
        let found = stand_ins.into_iter().find(|(_, hole)| std::ptr::eq(*hole, wanted)).map(|(range, _)| range);
        let found = found.or_else(|| text.find(written).map(|at| at..at + written.len()));
        let range = found.map_or(span.clone(), |range| span.start + range.start..span.start + range.end);
        self.substituted.origin(&range)
    }

    /// Finds markers that were left in the text because they begin a line.
    fn left_over(&mut self, text: &str, span: &Span) -> Option<Scalar> {
        let written = self.substituted.text()[span.clone()].to_owned();
        let mut problems = Vec::new();
        let mut from = 0;
        while let Some((range, keyword)) = next_marker(text, from) {
            from = range.end;
            // One that is written with escapes, as exports do it, is a text that looks like a marker.
            let Some(at) = written.find(&text[range.clone()]) else { continue };
            if text.trim() == &text[range.clone()] {
                return Some(self.marker(keyword, text.trim(), span));
            }
            let place = span.start + at..span.start + at + range.len();
            let problem = self.keywords.unreplaced(keyword, &text[range.clone()], self.environment);
            problems.push(problem.at(Some(self.substituted.origin(&place))));
        }
        let is_broken = !problems.is_empty();
        self.problems.extend(problems);
        is_broken.then(Scalar::broken)
    }
}

impl Reading for Filler<'_> {
    fn origin(&self, span: &Span) -> Origin {
        self.substituted.origin(span)
    }

    fn is_sensitive(&self, span: &Span) -> bool {
        self.substituted.is_secret(span)
    }

    fn fill(&mut self, text: &str, style: ScalarStyle, span: &Span) -> Option<Scalar> {
        let substituted = self.substituted;
        let stand_ins = substituted.stand_ins(text);
        match stand_ins.as_slice() {
            [] => self.left_over(text, span),
            [(range, hole)] if range.len() == text.trim_end().len() && is_alone(hole, text, range) => {
                let hole = (*hole).clone();
                Some(self.only(&hole, style, span))
            }
            _ => Some(self.mixed(text, style, span)),
        }
    }
}

/// Finds the `|` or `>` that begins a block scalar, in the line above its text.
pub(crate) fn block_start(text: &str, content: usize) -> usize {
    let head = text[..content].trim_end();
    let line = head.rfind('\n').map_or(0, |at| at + 1);
    let head = head[line..].split(" #").next().unwrap_or_default().trim_end();
    let sign = head.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
    if sign.ends_with(['|', '>']) { line + sign.len() - 1 } else { content }
}

/// A marker may have a line break behind it, as in a block scalar; an expression is then a text.
fn is_alone(hole: &Hole, text: &str, range: &Range<usize>) -> bool {
    range.start == 0 && (range.end == text.len() || matches!(hole, Hole::Marker { .. }))
}

/// Gives the variables that expressions used, each with whether it is set.
#[must_use]
pub fn variables_used<'v>(used: &'v BTreeSet<String>, variables: &Variables) -> Vec<(&'v str, bool)> {
    used.iter().filter_map(|name| name.strip_prefix("env.")).map(|name| (name, variables.get(name).is_some())).collect()
}
