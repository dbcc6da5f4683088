//! What can go wrong, as values: problems found in the user's files, and failures with an exit code.
//!
//! Nothing is printed here; `render::problem` and `ui` have the words' shape. Messages are lowercase
//! fragments without a full stop.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A text that a person wrote, with what is needed to point into it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceText {
    /// Path as the user would write it, relative to the project folder.
    pub name: String,
    /// The file's text, before any substitution.
    pub text: String,
    lines: Vec<usize>,
}

impl SourceText {
    /// Wraps a text and finds its lines.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Arc::new(Self { name: name.into(), text, lines })
    }

    /// Gives line and column of a byte offset, both from 1, the column in characters.
    #[must_use]
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let line = self.lines.partition_point(|start| *start <= offset).max(1);
        let start = self.lines[line - 1];
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        (line, column + 1)
    }
}

/// A place in a file that a person wrote.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file.
    pub source: Arc<SourceText>,
    /// Byte range in the file's text.
    pub span: (usize, usize),
}

impl Origin {
    /// Makes the origin of a byte range.
    #[must_use]
    pub fn new(source: &Arc<SourceText>, span: Range<usize>) -> Self {
        Self { source: Arc::clone(source), span: (span.start, span.end) }
    }

    /// Gives the line, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.source.position(self.span.0).0
    }

    /// Gives the column in characters, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.source.position(self.span.0).1
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.source.position(self.span.0);
        write!(f, "{}:{line}:{column}", self.source.name)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a problem stops the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is written while one of these stands.
    Error,
    /// Said, and the run goes on.
    Warning,
}

/// One thing that is wrong with the user's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Whether it stops the run.
    pub severity: Severity,
    /// What is wrong, with the object and the offending value.
    pub message: String,
    /// Where.
    pub origin: Option<Origin>,
    /// Other places that matter, with a word on each.
    pub also: Vec<(Origin, String)>,
    /// What to do.
    pub hint: Option<String>,
}

impl Problem {
    /// Makes an error.
    #[must_use]
    pub fn error(message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, message: message.into(), origin: None, also: Vec::new(), hint: None }
    }

    /// Makes a warning.
    #[must_use]
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin;
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn also(mut self, origin: Option<Origin>, word: impl Into<String>) -> Self {
        self.also.extend(origin.map(|origin| (origin, word.into())));
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what to do, if there is something to say.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

/// All problems of a stage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Adds all of another stage.
    pub fn extend(&mut self, others: impl IntoIterator<Item = Problem>) {
        self.0.extend(others);
    }

    /// Tells whether one of them stops the run.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Tells whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives them in the order of files and places, each once.
    #[must_use]
    pub fn sorted(mut self) -> Vec<Problem> {
        self.0.sort_by(|a, b| {
            let place = |p: &Problem| p.origin.as_ref().map(|o| (o.source.name.clone(), o.span));
            place(a).cmp(&place(b)).then_with(|| a.message.cmp(&b.message))
        });
        self.0.dedup();
        self.0
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<Problem> for Problems {
    fn from_iter<I: IntoIterator<Item = Problem>>(problems: I) -> Self {
        Self(problems.into_iter().collect())
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// How a command ended; the numbers are part of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// An error, wrong usage, or the question was answered with no; nothing was written.
    Failed = 1,
    /// Changes (`plan --detailed-exitcode`) or findings.
    Findings = 2,
    /// Something was written and the tenant is not where the plan said.
    Incomplete = 3,
    /// Refused: a stale plan or a protected environment; nothing was written.
    Refused = 4,
    /// Interrupted.
    Interrupted = 130,
}

/// A failure of a command: what, why, what to do, and the exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What failed.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
    /// Problems in the user's files, if that is why.
    pub problems: Problems,
    /// The exit code.
    pub exit: Exit,
}

impl Error {
    /// Makes a failure with exit code 1.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            problems: Problems::default(),
            exit: Exit::Failed,
        }
    }

    /// Makes a refusal, exit code 4.
    #[must_use]
    pub fn refused(message: impl Into<String>) -> Self {
        Self { exit: Exit::Refused, ..Self::new(message) }
    }

    /// Adds a cause, the outermost first.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what to do, if there is something to say.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// Says how far the command had come, such as `nothing was sent`, if problems in the user's
    /// files stopped it.
    #[must_use]
    pub fn having(mut self, how_far: &str) -> Self {
        if !self.problems.is_empty() {
            self.message = format!("{}, {how_far}", self.message);
        }
        self
    }
}

impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        let count = problems.0.iter().filter(|problem| problem.severity == Severity::Error).count();
        Self { problems, ..Self::new(format!("{} found", crate::text::plural(count, "error"))) }
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Problems::from(problem).into()
    }
}

#[cfg(test)]
mod tests {
    use super::{Origin, Problem, Problems, SourceText};

    #[test]
    fn columns_count_characters() {
        let source = SourceText::new("a.yaml", "x: 1\né😀y: 2\n");
        let at = source.text.find('y').expect("it is there");
        assert_eq!(Origin::new(&source, at..at + 1).to_string(), "a.yaml:2:3");
    }

    #[test]
    fn problems_come_in_the_order_of_their_places() {
        let source = SourceText::new("a.yaml", "one\ntwo\n");
        let mut problems = Problems::default();
        problems.push(Problem::error("second").at(Some(Origin::new(&source, 4..7))));
        problems.push(Problem::error("first").at(Some(Origin::new(&source, 0..3))));
        problems.push(Problem::error("first").at(Some(Origin::new(&source, 0..3))));
        let messages: Vec<String> = problems.sorted().into_iter().map(|problem| problem.message).collect();
        assert_eq!(messages, ["first", "second"]);
    }
}
