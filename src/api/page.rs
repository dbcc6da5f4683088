//! One page of a list, as an answer holds it.
//!
//! Pure: the one place that knows the shapes of the API's lists. What follows from a page is
//! `paging`'s.

use serde_json::{Map, Value};

use super::paging::Item;

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) items: Vec<Item>,
    /// The answer is a list without an envelope.
    pub(super) is_bare: bool,
    /// How many objects fit on a page.
    pub(super) limit: Option<u64>,
    /// How many objects the list has.
    pub(super) total: Option<u64>,
    /// The mark after which the next page begins.
    pub(super) next: Option<String>,
}

impl Page {
    /// Reads a bare array, or an envelope; the lists of the actions family name their page size
    /// `per_page` (paging.md of the API facts, "Styles").
    pub(super) fn read(member: &str, answer: Value) -> Result<Self, String> {
        let is_bare = answer.is_array();
        let (items, mut envelope) = match answer {
            Value::Array(items) => (items, Map::new()),
            Value::Object(mut envelope) => match envelope.remove(member) {
                Some(Value::Array(items)) => (items, envelope),
                Some(_) => return Err(format!("the member `{member}` of the answer is not a list")),
                None => return Err(format!("the answer has no member `{member}`")),
            },
            _ => return Err("the answer is neither a list nor an object".to_owned()),
        };
        let items = items.into_iter().map(|item| match item {
            Value::Object(item) => Ok(item),
            other => Err(format!("the list holds something that is not an object: {}", kind_of(&other))),
        });
        let number = |name: &str| envelope.get(name).and_then(Value::as_u64);
        let limit = number("limit").or_else(|| number("per_page")).filter(|limit| *limit > 0);
        let total = number("total");
        let next = match envelope.remove("next") {
            Some(Value::String(next)) if !next.is_empty() => Some(next),
            _ => None,
        };
        Ok(Self { items: items.collect::<Result<_, _>>()?, is_bare, limit, total, next })
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
