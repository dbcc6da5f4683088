//! The shape of single values: types, limits and formats, with the words for what is wrong.
//!
//! Pure; knows one field's declaration and one value.

use serde_json::Value;

use crate::kinds::kind::{Field, Format, Type};
use crate::text::plural;

/// Tells whether a value is of a type.
pub(super) fn fits(holds: Type, value: &Value) -> bool {
    match holds {
        Type::String => value.is_string(),
        Type::Integer => value.is_i64() || value.is_u64(),
        Type::Number => value.is_number(),
        Type::Boolean => value.is_boolean(),
        Type::Object | Type::Map => value.is_object(),
        Type::List | Type::Set => value.is_array(),
        Type::Any => true,
    }
}

/// Says in words what a type wants.
pub(super) fn words(holds: Type) -> &'static str {
    match holds {
        Type::String => "a text",
        Type::Integer => "a whole number",
        Type::Number => "a number",
        Type::Boolean => "true or false",
        Type::Object | Type::Map => "a map",
        Type::List | Type::Set => "a list",
        Type::Any => "any value",
    }
}

/// Says in words what a value is.
pub(super) fn words_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// Says what to write instead of null, where it does not clear.
pub(super) fn instead_of_null(holds: Type) -> &'static str {
    match holds {
        Type::String => "give the text that it should have (an empty text too)",
        Type::Integer | Type::Number | Type::Boolean | Type::Any => "give the value that it should have",
        Type::Object => "give the fields that it should have",
        Type::Map => "write `{}`, which says that it has no keys",
        Type::List | Type::Set => "write `[]`, which says that it has no elements",
    }
}

/// Says what to write instead of a value of the wrong type, where that is plain.
pub(super) fn hint(holds: Type, value: &Value) -> Option<String> {
    match (holds, value) {
        (Type::String, Value::Number(_) | Value::Bool(_)) => Some("put it in quotes".to_owned()),
        (Type::Boolean, Value::String(text)) => match text.to_lowercase().as_str() {
            "yes" | "on" | "y" => Some("write `true`".to_owned()),
            "no" | "off" | "n" => Some("write `false`".to_owned()),
            "true" | "false" => Some("write it in small letters and without quotes".to_owned()),
            _ => None,
        },
        (Type::Integer | Type::Number, Value::String(text)) if text.parse::<f64>().is_ok() => {
            Some("write it without quotes".to_owned())
        }
        (Type::List | Type::Set, Value::String(_) | Value::Number(_)) => {
            Some("write one element as a list of one: `- ...`".to_owned())
        }
        _ => None,
    }
}

/// Says which limit a value is beyond.
pub(super) fn limits(field: &Field, value: &Value) -> Option<String> {
    let (size, noun) = match value {
        Value::String(text) => (text.chars().count(), "character"),
        Value::Array(items) => (items.len(), "element"),
        Value::Object(members) => (members.len(), "key"),
        Value::Number(number) => {
            return beyond(field, number.as_f64()?).map(|limit| format!("must be {limit}, not {number}"));
        }
        Value::Null | Value::Bool(_) => return None,
    };
    let as_limit = |limit: i64| usize::try_from(limit).unwrap_or(0);
    if let Some(min) = field.min.map(as_limit).filter(|min| size < *min) {
        return Some(format!("must have at least {}, not {size}", plural(min, noun)));
    }
    let max = field.max.map(as_limit).filter(|max| size > *max)?;
    Some(format!("must have at most {}, not {size}", plural(max, noun)))
}

fn beyond(field: &Field, number: f64) -> Option<String> {
    #[expect(clippy::cast_precision_loss, reason = "limits in declarations are small")]
    let as_limit = |limit: i64| limit as f64;
    if let Some(min) = field.min.filter(|min| number < as_limit(*min)) {
        return Some(format!("at least {min}"));
    }
    field.max.filter(|max| number > as_limit(*max)).map(|max| format!("at most {max}"))
}

/// Says what a text should have been, if it does not have the format.
pub(super) fn misses(format: Format, text: &str) -> Option<&'static str> {
    let wanted = match format {
        Format::NoAngleBrackets => "a text without `<` and `>`",
        Format::Hostname => "a host name, such as `login.example.com`",
        Format::CountryCode => "two capital letters (ISO 3166-1)",
        Format::OrganizationName => "small letters, digits, `-` and `_`, a letter or digit first",
        Format::Pem => "a key or certificate in PEM (`-----BEGIN ...`)",
    };
    // The API takes a host name of one label; in a definition that is a slip.
    let is_whole = format != Format::Hostname || text.contains('.');
    (!is_whole || !format.fits(text)).then_some(wanted)
}
