//! The texts in an object that its declaration says are secret.
//!
//! Pure. Config and the commands tell them to `Secrets`, so that they are hidden in messages that
//! are not ours too, such as an answer of the API that quotes what it was sent.

use serde_json::{Map, Value};

use super::kind::{Field, Fields};
use crate::text::did_you_mean;

/// Shorter texts of a secret field are words that stand elsewhere too.
const SHORTEST: usize = 8;
/// In a secret object stand names and algorithms beside keys.
const SHORTEST_INSIDE: usize = 16;

/// A slip makes a name so many bytes longer or shorter at most.
pub const SLIPS: usize = 2;

/// Finds a field by its name, or the secret one that a misspelt name must have meant.
#[must_use]
pub fn meant<'f>(fields: &'f Fields, name: &str) -> Option<&'f Field> {
    fields.find(name).or_else(|| {
        let near = did_you_mean(name, fields.iter().map(|field| field.name.as_str()))?;
        fields.get(near).filter(|field| field.secret && near.len().abs_diff(name.len()) <= SLIPS)
    })
}

/// Collects the secret texts of an object.
#[must_use]
pub fn secret_texts<'v>(fields: &Fields, object: &'v Map<String, Value>) -> Vec<&'v str> {
    let mut texts = Vec::new();
    members(fields, object, false, &mut texts);
    texts
}

fn members<'v>(fields: &Fields, object: &'v Map<String, Value>, is_inside: bool, texts: &mut Vec<&'v str>) {
    for (name, value) in object {
        match meant(fields, name) {
            Some(field) => of(field, value, is_inside, texts),
            None if is_inside => all(value, SHORTEST_INSIDE, texts),
            None => {}
        }
    }
}

fn of<'v>(field: &Field, value: &'v Value, is_inside: bool, texts: &mut Vec<&'v str>) {
    let is_secret = is_inside || field.secret;
    match value {
        Value::Object(object) => members(&field.fields, object, is_secret, texts),
        Value::Array(items) => {
            for item in items {
                match (&field.items, item) {
                    (Some(declared), _) => of(declared, item, is_secret, texts),
                    (None, _) if is_secret => all(item, SHORTEST, texts),
                    (None, _) => {}
                }
            }
        }
        value if field.secret => all(value, SHORTEST, texts),
        value if is_inside => all(value, SHORTEST_INSIDE, texts),
        _ => {}
    }
}

fn all<'v>(value: &'v Value, shortest: usize, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) if text.len() >= shortest => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| all(item, shortest, texts)),
        Value::Object(members) => members.values().for_each(|member| all(member, shortest, texts)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::secret_texts;
    use crate::kinds::Registry;

    #[test]
    fn texts_of_secret_fields_are_found_and_words_beside_them_are_not() {
        let object = json!({
            "name": "a name of some length",
            "client_secret": "the secret",
            "client_authentication_methods": { "private_key_jwt": { "credentials": [
                { "name": "key", "alg": "RS256", "pem": "-----BEGIN PUBLIC KEY-----" },
            ] } },
            "addons": { "azure_sb": { "namespace": "not so secret", "sasKey": "the key!" } },
            "encryption_key": { "pub": "the public key of it", "subject": "short" },
        });
        let kind = Registry::builtin().get("clients").unwrap();
        let mut found = secret_texts(&kind.fields, object.as_object().unwrap());
        found.sort_unstable();
        assert_eq!(found, ["-----BEGIN PUBLIC KEY-----", "the key!", "the public key of it", "the secret"]);
    }
}
