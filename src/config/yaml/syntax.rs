//! The words for text that is no YAML: what a person sees, and what to do, in place of the parser's
//! terms.
//!
//! Pure; knows the parser's errors and nothing of the tree.

use granit_parser::{ErrorKind, ScanError};

use super::{DEEPEST, Reading};
use crate::error::Problem;

/// Says in words what the parser found wrong.
pub(super) fn problem(error: &ScanError, text: &str, reading: &dyn Reading) -> Problem {
    let at = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
    let at = if is_tab(error.kind()) { indenting_tab(text, at).unwrap_or(at) } else { at };
    let end = text[at..].chars().next().map_or(at, |found| at + found.len_utf8());
    let (message, hint) = words(error);
    Problem::error(message).at(Some(reading.origin(&(at..end)))).maybe_hint(hint.map(str::to_owned))
}

fn is_tab(kind: &ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TabInIndentation
            | ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar
    )
}

fn words(error: &ScanError) -> (String, Option<&'static str>) {
    let (message, hint) = match error.kind() {
        kind if is_tab(kind) => ("a tab stands where YAML takes spaces only", "indent with spaces"),
        ErrorKind::ExpectedBlockMappingKey => {
            ("this is no further key of the map above it", "align the keys of a map in one column, with spaces")
        }
        ErrorKind::ExpectedBlockSequenceEntry => (
            "this is no further element of the list above it",
            "begin each element with `-` in one column, and align the keys of an element behind its `-`, with spaces",
        ),
        ErrorKind::BlockSequenceEntryNotAllowed => {
            ("a `-` begins an element where no list can stand", "begin the list on a line of its own, below its key")
        }
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidBlockScalarIndent
        | ErrorKind::InvalidQuotedScalarIndent
        | ErrorKind::InvalidFlowScalarIndent => {
            ("this line is indented less than what it belongs to", "indent it with spaces, deeper than its key")
        }
        ErrorKind::MappingValueNotAllowed => (
            "a colon makes a key here, where none can stand",
            "align the key with the others of its map, or put a text that has `: ` in it in quotes",
        ),
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => {
            ("a key has no colon behind it", "write `key: value`")
        }
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => {
            ("a quote is never closed", "close it, or put a text with quotes in it behind `|-`")
        }
        ErrorKind::UnexpectedCharacter { character: '@' | '`' } => {
            ("a value starts with `@` or a backtick, which YAML reserves", "put it in quotes")
        }
        ErrorKind::InvalidColonPlacement => {
            ("a colon stands where none can", "put a text that has `: ` in it in quotes")
        }
        ErrorKind::RecursionLimitExceeded => {
            return (format!("nested more than {DEEPEST} levels deep"), Some("flatten it"));
        }
        _ => return (format!("not valid YAML: {}", error.info()), None),
    };
    (message.to_owned(), Some(hint))
}

/// Finds the tab that indents a line: the parser may have stopped at the end of the line before.
fn indenting_tab(text: &str, at: usize) -> Option<usize> {
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let mut offset = start;
    let lines = text[start..].split_inclusive('\n').map(|line| {
        offset += line.len();
        (offset - line.len(), line)
    });
    lines.filter(|(_, line)| !line.trim().is_empty()).take(2).find_map(|(offset, line)| {
        let indentation = line.len() - line.trim_start().len();
        line[..indentation].find('\t').map(|tab| offset + tab)
    })
}

#[cfg(test)]
mod tests {
    use crate::config::project::AsWritten;
    use crate::config::yaml::read;
    use crate::error::{Problems, SourceText};

    #[test]
    fn wrong_indentation_is_told_in_plain_words_at_its_place() {
        let tab = "a tab stands where YAML takes spaces only";
        let key = "this is no further key of the map above it";
        let element = "this is no further element of the list above it";
        let colon = "a colon makes a key here, where none can stand";
        let cases = [
            ("a:\n\t- b\n", tab, "2:1"),
            ("a:\n  - b: c\n\td: e\n", tab, "3:1"),
            ("a:\n  b:\tc\n\n \td: e\n", tab, "4:2"),
            ("a:\n  b: [c,\n\td]\n", tab, "3:1"),
            ("a:\n  b: c\n d: e\n", key, "3:2"),
            ("a:\n   - b\n  - c\n", key, "3:3"),
            ("a:\n  - b: c\n   d: e\n", element, "3:4"),
            ("a:\n  b: c\n    d: e\n", colon, "3:6"),
            ("a: - b\n", "a `-` begins an element where no list can stand", "1:4"),
            ("a:\n  b: c\n  d\n  e: f\n", "a key has no colon behind it", "3:3"),
        ];
        for (text, message, place) in cases {
            let source = SourceText::new("a.yaml", text);
            let mut problems = Problems::default();
            read(text, &mut AsWritten(&source), &mut problems);
            let found: Vec<String> = problems
                .sorted()
                .iter()
                .map(|problem| format!("{} {}", problem.message, problem.origin.as_ref().unwrap()))
                .collect();
            assert_eq!(found, [format!("{message} a.yaml:{place}")], "{text}");
        }
    }
}
