//! Keywords: names with values that differ between environments.
//!
//! Pure. Settings collects them from the project file, keyword files and the environment; the
//! substitution puts their values into texts, expressions compute with them. A keyword without a
//! value is known all the same: its marker in a secret field means "keep what the tenant has".

use serde_json::Value;

use super::javascript::{plain_text, rank};
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
    /// Nobody defined it: it is one of all environment variables.
    pub is_ambient: bool,
}

impl Keyword {
    /// Makes a keyword of an environment variable that nobody asked for.
    #[must_use]
    pub fn ambient(variable: &str, value: &str) -> Self {
        let (value, variable) = (Some(Value::from(value)), Some(variable.to_owned()));
        Self { value, is_secret: true, variable, origin: None, is_ambient: true }
    }
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
pub struct Keywords {
    list: Vec<(String, Keyword)>,
    /// Where one is defined, where that is not the project file.
    place: Option<&'static str>,
}

impl Keywords {
    /// Says where keywords are defined, if that is not the project file.
    pub fn set_place(&mut self, place: &'static str) {
        self.place = Some(place);
    }

    /// Sets a keyword; one of the same name keeps its place in the order. Names that are whole
    /// numbers come before all others, in ascending order, as in an object of JavaScript.
    pub fn set(&mut self, name: impl Into<String>, keyword: Keyword) {
        let name = name.into();
        if let Some((_, old)) = self.list.iter_mut().find(|(known, _)| *known == name) {
            *old = keyword;
        } else {
            let at = self.list.partition_point(|(known, _)| rank(known) <= rank(&name));
            self.list.insert(at, (name, keyword));
        }
    }

    /// Finds a keyword.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Keyword> {
        self.list.iter().find(|(known, _)| known == name).map(|(_, keyword)| keyword)
    }

    /// Goes through them in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Keyword)> {
        self.list.iter().map(|(name, keyword)| (name.as_str(), keyword))
    }

    /// Tells whether a name has a value.
    #[must_use]
    pub fn has_value(&self, name: &str) -> bool {
        self.get(name).is_some_and(|keyword| keyword.value.is_some())
    }

    /// Makes the problem of a marker that stayed where it stood.
    #[must_use]
    pub fn unreplaced(&self, name: &str, written: &str, environment: &str) -> Problem {
        match self.get(name).and_then(|keyword| keyword.value.as_ref()) {
            None => self.without_value(name, environment),
            Some(value) if written.starts_with('#') && plain_text(value).is_none() => {
                let what = if value.is_object() { "a map" } else { "a list with a map in it" };
                Problem::error(format!("the keyword `{name}` is {what}, of which `{written}` can make no text"))
                    .hint(format!("write `@@{name}@@`"))
            }
            Some(_) => {
                let message = format!(
                    "`{written}` comes from the value of a keyword that is replaced after `{name}`, so it stays as it is"
                );
                let hint = if written.starts_with('#') {
                    format!("define `{name}` after the keyword that holds it, or write the value with `${{{{ }}}}`")
                } else {
                    format!("markers `@@` are replaced before `##`: write `##{name}##` in the value")
                };
                Problem::error(message).hint(hint)
            }
        }
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
            None if self.place.is_some() => format!("define it in {}", self.place.unwrap_or_default()),
            None => format!("define it under `keywords` in the project file, or for environment `{environment}` alone"),
        };
        Problem::error(format!("the keyword `{name}` is not defined in environment `{environment}`")).hint(hint)
    }
}

/// Tells whether a character may stand in the name between `##` or `@@` of a marker without a value.
#[must_use]
pub fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-')
}

/// Gives the names of all markers in a text.
#[must_use]
pub fn markers(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut from = 0;
    while let Some((range, name)) = next_marker(text, from) {
        names.push(name.to_owned());
        from = range.end;
    }
    names
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

    use super::{Keyword, Keywords, next_marker};

    fn keywords(names: &[&str]) -> Keywords {
        let mut keywords = Keywords::default();
        for name in names {
            keywords.set(
                *name,
                Keyword { value: Some(json!(1)), is_secret: false, variable: None, origin: None, is_ambient: false },
            );
        }
        keywords
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
        keywords.set("A", Keyword { value: None, is_secret: true, variable: None, origin: None, is_ambient: false });
        assert_eq!(keywords.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["A", "B"]);
    }
}
