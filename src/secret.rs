//! The texts that must not be shown, and the one function that takes them out of a message.
//!
//! Rooms that learn a secret (settings, keywords, definitions, the token endpoint) add it here; the
//! printer passes everything through `hide` as the last line of defence. Fields that are secret by
//! declaration are masked earlier, where the value is still a value.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Stands where a secret would have been printed.
pub const MASK: &str = "(sensitive)";

/// Shorter texts than this many bytes are not searched for: hiding every `1` would hide nothing.
const SHORTEST: usize = 6;

/// Texts, the longest first.
type Texts = BTreeSet<(Reverse<usize>, String)>;

/// The secrets of this run, shared by all who learn or print.
#[derive(Clone, Default)]
pub struct Secrets(Arc<Mutex<Texts>>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(***)")
    }
}

impl Secrets {
    /// Adds a secret in every spelling in which it could be printed: as it is, as JSON text, and
    /// each line of a text of several lines.
    pub fn learn(&self, secret: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let json = serde_json::Value::from(secret).to_string();
        let spellings = std::iter::once(secret).chain([json.trim_matches('"')]).chain(secret.lines().map(str::trim));
        for spelling in spellings {
            if spelling.len() >= SHORTEST {
                known.insert((Reverse(spelling.len()), spelling.to_owned()));
            }
        }
    }

    /// Adds every text in a JSON value.
    pub fn learn_value(&self, value: &serde_json::Value) {
        match value {
            serde_json::Value::String(text) => self.learn(text),
            serde_json::Value::Array(items) => items.iter().for_each(|item| self.learn_value(item)),
            serde_json::Value::Object(members) => members.values().for_each(|member| self.learn_value(member)),
            serde_json::Value::Number(number) => self.learn(&number.to_string()),
            serde_json::Value::Null | serde_json::Value::Bool(_) => {}
        }
    }

    /// Replaces every known secret in a text by [`MASK`].
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Longer ones can't be in it.
        let may_hold = known.range((Reverse(text.len()), String::new())..);
        may_hold.fold(text.to_owned(), |text, (_, secret)| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), MASK) } else { text }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Secrets;

    #[test]
    fn a_secret_is_hidden_in_each_spelling() {
        let secrets = Secrets::default();
        secrets.learn("pa\"ss\nword-two");
        assert_eq!(secrets.hide("x word-two y"), "x (sensitive) y");
        assert_eq!(secrets.hide(r#"{"a":"pa\"ss\nword-two"}"#), r#"{"a":"(sensitive)"}"#);
        assert_eq!(secrets.hide("nothing"), "nothing");
    }

    #[test]
    fn a_secret_that_is_part_of_another_leaves_nothing_of_it() {
        let secrets = Secrets::default();
        for text in ["hunter2", "hunter2-hunter3", "a text that is longer than what is printed"] {
            secrets.learn(text);
        }
        assert_eq!(secrets.hide("hunter2-hunter3"), "(sensitive)");
        assert_eq!(secrets.hide("hunter2"), "(sensitive)");
    }

    #[test]
    fn debug_shows_nothing() {
        let secrets = Secrets::default();
        secrets.learn("hunter22");
        assert!(!format!("{secrets:?}").contains("hunter22"));
    }
}
