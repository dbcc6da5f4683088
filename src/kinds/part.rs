//! The declaration of a field that stands at one endpoint of its own: it is read by one request and written by
//! another, beside the object that has it. With `by` it is a map, each member of which is such a field.
//!
//! A part of the declaration language of [`super::kind`], where the rest of the crate finds it. Every
//! key is explained once, in schemas/README.md.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::endpoint::Endpoint;

/// How a field at an endpoint of its own is read and written. The answer and the body are its value.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// How it is read; `{id}` in the path is the object's handle. Status 404 says that it is not set.
    pub get: Endpoint,
    /// How it is made where it is not set; without it, as it is changed.
    #[serde(default)]
    pub create: Option<Endpoint>,
    /// How it is changed.
    pub update: Endpoint,
    /// How it is taken away.
    #[serde(default)]
    pub delete: Option<Endpoint>,
    /// The names in the paths, from the outer map's keys to the inner one's.
    #[serde(default)]
    pub by: Vec<By>,
}

/// A level of a map whose members stand at endpoints of their own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct By {
    /// The variable of the paths.
    pub name: String,
    /// The keys that an export asks for.
    #[serde(default)]
    pub values: Vec<String>,
    /// Where the keys are found that an export asks for, in the place of `values`.
    #[serde(default)]
    pub found: Option<Keyed>,
}

/// Keys that another object of the API has.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keyed {
    /// The endpoint.
    pub get: Endpoint,
    /// The member that lists them.
    pub member: String,
}

/// A member of a part and the keys that lead to it.
pub type Unit<'v> = (Vec<String>, &'v Value);

impl Part {
    /// Goes through what is read and written as one: the value itself, or the members of the innermost maps.
    #[must_use]
    pub fn units<'v>(&self, value: &'v Value) -> Vec<Unit<'v>> {
        let mut units = vec![(Vec::new(), value)];
        for _ in &self.by {
            let inner = units.into_iter().flat_map(|(keys, value)| {
                let members = value.as_object().into_iter().flatten();
                members.map(move |(name, value)| ([keys.as_slice(), std::slice::from_ref(name)].concat(), value))
            });
            units = inner.collect();
        }
        units
    }

    /// Fills a path in; `handle` writes the object's own.
    #[must_use]
    pub fn path(&self, pattern: &str, handle: Option<&str>, keys: &[String], encoded: fn(&str) -> String) -> String {
        let mut path = handle.map_or_else(|| pattern.to_owned(), |id| pattern.replace("{id}", &encoded(id)));
        for (by, key) in self.by.iter().zip(keys) {
            path = path.replace(&format!("{{{}}}", by.name), &encoded(key));
        }
        path
    }
}

/// Puts a unit in its place.
pub fn put(value: &mut Value, keys: &[String], unit: Value) {
    match keys.split_first() {
        None => *value = unit,
        Some((key, rest)) => {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            if let Value::Object(members) = value {
                put(members.entry(key.clone()).or_insert(Value::Null), rest, unit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Part, put};

    #[test]
    fn units_are_taken_apart_and_put_together() {
        let get = json!({ "method": "GET", "path": "/texts/{prompt}/{language}", "scopes": [] });
        let by = json!([{ "name": "language" }, { "name": "prompt" }]);
        let part: Part = serde_json::from_value(json!({ "get": get, "update": get, "by": by })).unwrap();
        let value = json!({ "en": { "login": { "a": 1 }, "sign/up": {} }, "de": {} });
        let units = part.units(&value);
        let shown: Vec<String> = units.iter().map(|(keys, unit)| format!("{} {unit}", keys.join(" "))).collect();
        assert_eq!(shown, [r#"en login {"a":1}"#, "en sign/up {}"]);
        let mut again = Value::Null;
        for (keys, unit) in units {
            put(&mut again, &keys, unit.clone());
        }
        assert_eq!(again, json!({ "en": { "login": { "a": 1 }, "sign/up": {} } }));
        let encoded = |text: &str| text.replace('/', "%2F");
        let keys = ["en".to_owned(), "sign/up".to_owned()];
        assert_eq!(part.path(&part.get.path, None, &keys, encoded), "/texts/sign%2Fup/en");
    }
}
