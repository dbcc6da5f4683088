//! JSON values, pointers and texts as plans show them.

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::{Style, Tone, escaped, is_hidden, visible};
use crate::text::unescape;

/// Texts longer than this many characters are shown as a diff by lines.
const LONG: usize = 120;
/// Lines around a change that a diff shows.
const CONTEXT: usize = 3;

/// Writes a value as JSON in one line, hidden characters escaped.
pub(super) fn json(value: &Value) -> String {
    shown_json(&value.to_string())
}

/// Writes a value as JSON in several lines.
pub(super) fn json_lines(value: &Value) -> Vec<String> {
    format!("{value:#}").lines().map(shown_json).collect()
}

fn shown_json(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { escaped(c).concat() } else { c.to_string() }).collect()
}

/// Writes a member of a set: a plain word as it is, anything else as JSON.
pub(super) fn member(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        value => json(value),
    }
}

fn is_plain(text: &str) -> bool {
    let is_word = |c: char| !is_hidden(c) && !c.is_whitespace() && !matches!(c, '"' | '\\' | '\'' | '`');
    !text.is_empty()
        && text.chars().all(is_word)
        && !text.starts_with(['{', '[', '('])
        && text.parse::<f64>().is_err()
        && !matches!(text, "true" | "false" | "null")
}

/// Writes a JSON Pointer as people write paths: `a.b[0]["c.d"]`.
pub(super) fn path(pointer: &str) -> String {
    let shown = |(at, part): (usize, &str)| {
        let part = unescape(part);
        if !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()) {
            format!("[{part}]")
        } else if !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) {
            format!("{}{part}", if at == 0 { "" } else { "." })
        } else {
            format!("[{}]", json(&Value::from(part)))
        }
    };
    let path: String = pointer.split('/').skip(1).enumerate().map(shown).collect();
    if path.is_empty() { "(all)".to_owned() } else { path }
}

/// Tells whether a text is better shown line by line.
pub(super) fn is_long(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n') || text.chars().count() > LONG
}

/// Compares two texts by lines, with some around each change.
pub(super) fn text_diff(before: &str, after: &str, style: Style) -> Vec<String> {
    let diff = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for hunk in diff.unified_diff().context_radius(CONTEXT).iter_hunks() {
        lines.push(style.paint(Tone::Faint, &hunk.header().to_string()));
        for change in hunk.iter_changes() {
            let line = visible(change.value().trim_end_matches('\n'));
            lines.push(match change.tag() {
                ChangeTag::Delete => style.paint(Tone::Bad, &format!("-{line}")),
                ChangeTag::Insert => style.paint(Tone::Good, &format!("+{line}")),
                ChangeTag::Equal => format!(" {line}"),
            });
            if change.missing_newline() {
                lines.push(style.paint(Tone::Faint, "\\ no newline at the end"));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{member, path, text_diff};
    use crate::render::Style;

    #[test]
    fn pointers_are_shown_as_paths() {
        for (pointer, shown) in [
            ("/jwt_configuration/alg", "jwt_configuration.alg"),
            ("/enabled_locales/0", "enabled_locales[0]"),
            ("/client_metadata/a.b", "client_metadata[\"a.b\"]"),
            ("/client_metadata/a~1b~0c", "client_metadata[\"a/b~c\"]"),
            ("/client_metadata/a\u{1b}", "client_metadata[\"a\\u001b\"]"),
            ("/client_metadata/", "client_metadata[\"\"]"),
            ("", "(all)"),
        ] {
            assert_eq!(path(pointer), shown);
        }
    }

    #[test]
    fn members_that_are_no_plain_words_are_quoted() {
        for (value, shown) in [
            (json!("read:invoices"), "read:invoices"),
            (json!("https://a/?b=c#d"), "https://a/?b=c#d"),
            (json!("two words"), "\"two words\""),
            (json!(""), "\"\""),
            (json!("1"), "\"1\""),
            (json!(1), "1"),
            (json!("true"), "\"true\""),
            (json!("a\u{9b}b"), "\"a\\u009bb\""),
        ] {
            assert_eq!(member(&value), shown);
        }
    }

    #[test]
    fn texts_are_compared_by_lines_with_three_around_a_change() {
        let before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let lines = text_diff(before, &before.replace("8\n9\n", "8\nnine"), Style::Plain);
        assert_eq!(lines, ["@@ -6,4 +6,4 @@", " 6", " 7", " 8", "-9", "+nine", "\\ no newline at the end"]);
    }
}
