//! Keywords: names with values that differ between environments.
//!
//! Pure. Settings collects them from the project file, keyword files and the environment; the
//! substitution puts their values into texts, expressions compute with them. A keyword without a
//! value is known all the same: its marker in a secret field means "keep what the tenant has".

use serde_json::Value;

use super::scalar::number_text;
use crate::error::{Origin, Problem};
use crate::text::did_you_mean;

/// One keyword.
#[derive(Clone)]
pub struct Keyword {
    /// Its value; none if it comes from an environment variable that is not set.
    pub value: Option<Value>,
    /// Its value is never shown.
    pub is_secret: bool,
    /// The environment variable that it comes from.
    pub variable: Option<String>,
    /// Where it is defined.
    pub origin: Option<Origin>,
}

impl std::fmt::Debug for Keyword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Keyword");
        if !self.is_secret {
            shown.field("value", &self.value);
        }
        shown.field("variable", &self.variable).finish_non_exhaustive()
    }
}

/// The keywords of one environment, in the order in which they are replaced.
#[derive(Debug, Clone, Default)]
pub struct Keywords(Vec<(String, Keyword)>);

impl Keywords {
    /// Sets a keyword; one of the same name keeps its place in the order.
    pub fn set(&mut self, name: impl Into<String>, keyword: Keyword) {
        let name = name.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = keyword,
            None => self.0.push((name, keyword)),
        }
    }

    /// Finds a keyword.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Keyword> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, keyword)| keyword)
    }

    /// Goes through them in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Keyword)> {
        self.0.iter().map(|(name, keyword)| (name.as_str(), keyword))
    }

    /// Makes the problem of a marker or a name without a value.
    #[must_use]
    pub fn without_value(&self, name: &str, environment: &str) -> Problem {
        let variable = self.get(name).and_then(|keyword| keyword.variable.as_deref());
        if let Some(variable) = variable {
            return Problem::error(format!(
                "the keyword `{name}` takes its value in environment `{environment}` from the environment variable \
                 `{variable}`, which is not set or empty"
            ))
            .hint(format!("set {variable}"));
        }
        let hint = match did_you_mean(name, self.iter().map(|(known, _)| known)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("define it under `keywords` in the project file, or for environment `{environment}` alone"),
        };
        Problem::error(format!("the keyword `{name}` is not defined in environment `{environment}`")).hint(hint)
    }
}

/// Gives the text that replaces `##KEY##`; none for a map, of which no text can be made.
#[must_use]
pub fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number_text(number)),
        Value::Bool(_) | Value::Null => Some(value.to_string()),
        Value::Array(items) => {
            let texts: Option<Vec<String>> =
                items.iter().map(|item| if item.is_null() { Some(String::new()) } else { plain_text(item) }).collect();
            texts.map(|texts| texts.join(","))
        }
        Value::Object(_) => None,
    }
}

/// Tells whether a character may stand in the name between `##` or `@@` of a marker without a value.
#[must_use]
pub fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-')
}

/// Finds the next `##NAME##` or `@@NAME@@` at or after a byte offset: its range and its name.
#[must_use]
pub fn next_marker(text: &str, from: usize) -> Option<(std::ops::Range<usize>, &str)> {
    let bytes = text.as_bytes();
    let mut at = from;
    while at + 4 < bytes.len() {
        let mark = bytes[at];
        if !matches!(mark, b'#' | b'@') || bytes[at + 1] != mark {
            at += 1;
            continue;
        }
        let start = at + 2;
        let length = bytes[start..].iter().take_while(|byte| is_name_character(char::from(**byte))).count();
        let end = start + length;
        if length > 0 && bytes.get(end) == Some(&mark) && bytes.get(end + 1) == Some(&mark) {
            return Some((at..end + 2, &text[start..end]));
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Keyword, Keywords, next_marker, plain_text};

    fn keywords(names: &[&str]) -> Keywords {
        let mut keywords = Keywords::default();
        for name in names {
            keywords.set(*name, Keyword { value: Some(json!(1)), is_secret: false, variable: None, origin: None });
        }
        keywords
    }

    #[test]
    fn a_list_becomes_its_joined_elements_and_a_map_no_text() {
        assert_eq!(plain_text(&json!(["a", 1, null, ["b"]])).as_deref(), Some("a,1,,b"));
        assert_eq!(plain_text(&json!({"a": 1})), None);
    }

    #[test]
    fn a_name_without_a_value_gets_the_nearest_known_one() {
        let problem = keywords(&["API_URL", "ENV"]).without_value("API_ULR", "dev");
        assert_eq!(problem.message, "the keyword `API_ULR` is not defined in environment `dev`");
        assert_eq!(problem.hint.as_deref(), Some("did you mean `API_URL`?"));
    }

    #[test]
    fn markers_are_found_where_marks_and_name_touch() {
        assert_eq!(next_marker("####A.b##", 0), Some((2..9, "A.b")));
        assert_eq!(next_marker("@@A##@@B@@", 0), Some((5..10, "B")));
        for text in ["## A ##", "#####", "@@A@", "@@@@"] {
            assert_eq!(next_marker(text, 0), None, "{text}");
        }
    }

    #[test]
    fn a_keyword_that_is_set_again_keeps_its_place() {
        let mut keywords = keywords(&["A", "B"]);
        keywords.set("A", Keyword { value: None, is_secret: true, variable: None, origin: None });
        assert_eq!(keywords.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["A", "B"]);
    }
}
