//! A JSON value as the text of a file: two spaces, one line at the end.
//!
//! The marks of keywords, which keyword replacement would find in the raw file, are written as
//! escapes, and so is what YAML takes as an escape only: `config` reads such files as YAML.

use serde_json::Value;

use super::yaml::{MARKER, holds_mark};

/// Writes a value.
pub(super) fn json(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text + "\n"
}

fn write(value: &Value, depth: usize, text: &mut String) {
    match value {
        Value::Object(map) if map.contains_key(MARKER) => {
            text.extend(["\"##", map[MARKER].as_str().unwrap_or_default(), "##\""]);
        }
        Value::Object(map) if !map.is_empty() => {
            for (at, (name, value)) in map.iter().enumerate() {
                begin(at, '{', depth, text);
                *text += &quoted(name);
                *text += ": ";
                write(value, depth + 1, text);
            }
            end('}', depth, text);
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                begin(at, '[', depth, text);
                write(item, depth + 1, text);
            }
            end(']', depth, text);
        }
        Value::String(words) => *text += &quoted(words),
        other => *text += &other.to_string(),
    }
}

fn begin(at: usize, bracket: char, depth: usize, text: &mut String) {
    text.push(if at == 0 { bracket } else { ',' });
    line(depth + 1, text);
}

fn end(bracket: char, depth: usize, text: &mut String) {
    line(depth, text);
    text.push(bracket);
}

fn line(depth: usize, text: &mut String) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

fn quoted(words: &str) -> String {
    let has_mark = holds_mark(words);
    let is_escaped = |c: char| {
        (has_mark && matches!(c, '#' | '@' | '$'))
            || c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    };
    let text = Value::from(words).to_string();
    if !text.contains(is_escaped) {
        return text;
    }
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            c if is_escaped(c) => quoted.extend(["\\u", &format!("{:04x}", u32::from(c))]),
            plain => quoted.push(plain),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::json as written;
    use crate::export::yaml::marker;

    #[test]
    fn it_is_written_as_the_deploy_cli_writes_it() {
        let value = json!({ "name": "a", "list": [1, ["b"]], "none": [], "map": {}, "secret": marker("KEY") });
        let text = "{\n  \"name\": \"a\",\n  \"list\": [\n    1,\n    [\n      \"b\"\n    ]\n  ],\n  \"none\": [],\n  \
                    \"map\": {},\n  \"secret\": \"##KEY##\"\n}\n";
        assert_eq!(written(&value), text);
    }

    #[test]
    fn texts_read_back_equal_and_hold_no_mark() {
        for text in [
            "##KEY##",
            "@@KEY@@",
            "${{ env.X }}",
            "a##\n\"@@\\",
            "\u{0}\u{7f}\u{85}\u{2028}\u{feff}\u{ffff}",
            "#$@",
            "é😀",
        ] {
            let value = json!({ text: [text, { text: text }] });
            let found = written(&value);
            assert_eq!(serde_json::from_str::<Value>(&found).unwrap(), value);
            assert!(!["##", "@@", "${{"].iter().any(|mark| found.contains(mark)), "{found}");
        }
    }
}
