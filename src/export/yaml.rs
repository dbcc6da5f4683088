//! A JSON value as YAML that every reader reads back equal.
//!
//! serde-saphyr writes it, but for some texts that this module writes itself, in double quotes with
//! escapes: those that hold a keyword's marks, which keyword replacement would find in the raw file,
//! and those with a tab at the start of a line, which libyaml does not read in a block.

use serde_json::{Map, Value};

/// Writes a value.
///
/// # Errors
/// Gives the writer's own message.
pub(super) fn yaml(mut value: Value) -> Result<String, String> {
    let mut quoted = Quoted { mark: String::new(), texts: Vec::new() };
    if is_any(&value, &needs_quotes) {
        quoted.mark = free_mark(&value);
        quoted.take(&mut value);
    }
    let options = serde_saphyr::ser_options! {
        compact_list_indent: false,
        // Long lines stay lines, so that a change of a word is a change of a line.
        folded_wrap_chars: usize::MAX,
    };
    let text = serde_saphyr::to_string_with_options(&value, options).map_err(|error| error.to_string())?;
    Ok(quoted.give_back(text))
}

/// Writes a value in one line, as JSON that is YAML too; a keyword's marks in texts are escaped.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Object(map) if map.contains_key(MARKER) => {
            format!("\"##{}##\"", map[MARKER].as_str().unwrap_or_default())
        }
        Value::Object(map) => {
            let members =
                map.iter().map(|(name, value)| format!("{}: {}", flow(&Value::from(name.as_str())), flow(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", ")).replace("{  }", "{}")
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) if needs_quotes(text) => {
            let marks = [("##", "#\\u0023"), ("@@", "@\\u0040"), ("${{", "\\u0024{{")];
            marks.iter().fold(value.to_string(), |text, (mark, escaped)| text.replace(mark, escaped))
        }
        other => other.to_string(),
    }
}

/// The only member of an object that is written as a keyword's marker.
pub(super) const MARKER: &str = "\u{0}keyword";

/// Makes what is written as the marker of a keyword.
pub(super) fn marker(keyword: &str) -> Value {
    Value::Object(Map::from_iter([(MARKER.to_owned(), Value::from(keyword))]))
}

/// Texts that are written in double quotes, and the words that stand for them meanwhile.
struct Quoted {
    mark: String,
    texts: Vec<String>,
}

impl Quoted {
    /// Puts words in the place of the texts.
    fn take(&mut self, value: &mut Value) {
        match value {
            Value::String(text) if needs_quotes(text) => *text = self.word(double_quoted(text)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.take(item)),
            Value::Object(map) if map.contains_key(MARKER) => {
                let text = format!("'##{}##'", map[MARKER].as_str().unwrap_or_default());
                *value = Value::String(self.word(text));
            }
            Value::Object(map) => {
                if map.keys().any(|name| needs_quotes(name)) {
                    let mut word =
                        |name: String| if needs_quotes(&name) { self.word(double_quoted(&name)) } else { name };
                    *map = std::mem::take(map).into_iter().map(|(name, value)| (word(name), value)).collect();
                }
                map.values_mut().for_each(|value| self.take(value));
            }
            _ => {}
        }
    }

    fn word(&mut self, text: String) -> String {
        self.texts.push(text);
        format!("{}{}Q", self.mark, self.texts.len() - 1)
    }

    fn give_back(&self, text: String) -> String {
        if self.texts.is_empty() {
            return text;
        }
        let mut parts = text.split(self.mark.as_str());
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (number, rest) = part.split_once('Q').unwrap_or((part, ""));
            whole += number.parse::<usize>().ok().and_then(|at| self.texts.get(at)).map_or("", String::as_str);
            whole += rest;
        }
        whole
    }
}

/// Finds a word that nothing in a value contains and that needs no quotes.
fn free_mark(value: &Value) -> String {
    let mut mark = "Quoted".to_owned();
    while is_any(value, &|text| text.contains(&mark)) {
        mark.push('x');
    }
    mark
}

/// Tells whether something is true of any text in a value, or of a name of a member.
fn is_any(value: &Value, is: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is(text),
        Value::Array(items) => items.iter().any(|item| is_any(item, is)),
        Value::Object(map) => map.iter().any(|(name, value)| is(name) || is_any(value, is)),
        _ => false,
    }
}

/// Tells whether a text holds what begins a marker of a keyword, or an expression.
pub(super) fn holds_mark(text: &str) -> bool {
    ["##", "@@", "${{"].iter().any(|mark| text.contains(mark))
}

fn needs_quotes(text: &str) -> bool {
    // Most texts have none of these, and are looked at once.
    if !text.bytes().any(|byte| matches!(byte, b'#' | b'@' | b'$' | b'\n' | b'\0')) {
        return false;
    }
    text == MARKER || holds_mark(text) || (text.contains('\n') && text.lines().any(|line| line.starts_with('\t')))
}

/// Writes a text as a double-quoted scalar (YAML 1.2.2 section 5.7), the marks of keywords escaped.
fn double_quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for character in text.chars() {
        match character {
            '"' => quoted += "\\\"",
            '\\' => quoted += "\\\\",
            '\n' => quoted += "\\n",
            '\r' => quoted += "\\r",
            '\t' => quoted += "\\t",
            '#' => quoted += "\\x23",
            '@' => quoted += "\\x40",
            '$' => quoted += "\\x24",
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') => {
                quoted.extend(["\\u", &format!("{:04x}", u32::from(c))]);
            }
            plain => quoted.push(plain),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::yaml;

    #[rustfmt::skip]
    const HOSTILE: &[&str] = &[
        "", " ", "~", "null", "yes", "no", "on", "y", "n", "true", "1", "1.0", "0x1", "0o14", "014", "1_000", "1e3",
        ".inf", "1:30", "2024-01-01", "2024-01-01T00:00:00Z", "=", "<<", "-", "- a", "? a", "a: b", "a:", ": a",
        "a #b", "#a", "# a", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", "'", "\"", "'a'", "\"a\"", "{a", "[a", "a]",
        "a, b", "\ta", "a\t", " a", "a ", "a\n", "\na", "a\n\n", "\n", "\n\n", "a\nb", "a\n b\n", " a\nb", "\ta\nb",
        "a\n\tb\n", "a \nb", "a\r\nb", "a\rb", "\r", "\u{0}", "\u{1b}[31m", "\u{7f}", "\u{85}", "a\u{85}b", "\u{a0}",
        "\u{2028}", "a\u{2028}b\n", "\u{feff}", "\u{feff}a", "é😀", "\\", "\\n", "a\\", "---", "...", "--- a", "---\na",
        "\n---\n", "##KEY##", "a##KEY##b", "@@KEY@@", "${{ env.X }}", "a\n##KEY##\nb", "\"##\\x23", "Quoted0Q", "#",
        "$", "$$", "${", "// code\nexports.x = () => {\n  return '#' + \"@\";\n};\n",
    ];

    /// Reads with libyaml's port, which shares no code with the writer.
    fn read(text: &str) -> Value {
        serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    #[test]
    fn hostile_texts_read_back_equal_as_values_keys_and_elements() {
        for text in HOSTILE {
            let value = json!({ "value": text, "list": [text, [text]], "map": { *text: { *text: text } } });
            let written = yaml(value.clone()).unwrap();
            assert_eq!(read(&written), value, "{text:?}\n{written}");
            for mark in ["##", "@@", "${{"] {
                assert!(!written.contains(mark), "{written}");
            }
        }
        let long = format!("{} end", "a very long line ".repeat(5000));
        assert_eq!(read(&yaml(json!({ "a": long })).unwrap()), json!({ "a": long }));
    }

    #[test]
    fn numbers_read_back_equal() {
        let value =
            json!([0, -1, u64::MAX, i64::MIN, 1.5, 3.016_666_666_666_666_6, 1e20, 1e-7, -0.1, true, null, {}, []]);
        assert_eq!(read(&yaml(value.clone()).unwrap()), value);
    }

    #[test]
    fn code_stands_in_blocks_and_lists_are_indented() {
        let value = json!({ "clients": [{ "name": "a", "grant_types": ["b"], "code": "one\n  two\n" }], "none": [] });
        insta::assert_snapshot!(yaml(value.clone()).unwrap());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 400, ..ProptestConfig::default() })]

        #[test]
        fn any_text_reads_back_equal(text in "([ \t\n\r#:@$'\"\\-\\[\\]{}|>&*!%?,~a0\u{85}\u{2028}\u{feff}é]|##|@@|\\PC|\\PM){0,12}") {
            let value = json!({ "value": text, "list": [text], text.clone(): 1 });
            prop_assert_eq!(read(&yaml(value.clone()).unwrap()), value);
        }

        #[test]
        fn any_map_reads_back_equal(map in prop::collection::hash_map(any::<String>(), any::<String>(), 0..4)) {
            let value = Value::Object(map.into_iter().map(|(k, v)| (k, Value::from(v))).collect::<Map<_, _>>());
            prop_assert_eq!(read(&yaml(value.clone()).unwrap()), value);
        }
    }
}
