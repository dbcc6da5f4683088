//! Is this body what the API takes? The first problem, in the words of the API's validator.
//!
//! Pure; it reads declarations and names no kind. Bodies are closed at the top and open further down
//! (`x-closed` in the API's schemas). The shape of the messages is recorded (errors.json: "Payload
//! validation error: '...' on property ..."); of the inner texts only those about formats and
//! duplicates are, the others are the same validator's (z-schema) own.

use serde_json::{Map, Value};

use super::exchange::type_name;
use crate::kinds::kind::{Field, Format, Kind, Type};

/// What a body is for.
#[derive(Debug, Clone, Copy)]
pub enum Write<'a> {
    /// A create.
    Create,
    /// An update of this object.
    Update(&'a Map<String, Value>),
}

/// Finds the first problem of a body, as a whole message.
#[must_use]
pub fn problem(kind: &Kind, body: &Map<String, Value>, write: Write) -> Option<String> {
    let sent_along = |name: &str| {
        let mut fields = kind.fields.iter().filter(|_| matches!(write, Write::Create));
        fields.find(|field| field.server.inline.as_deref() == Some(name))
    };
    let is_unknown =
        |(name, value): &(&String, &Value)| !is_taken(kind, name, value, write) && sent_along(name).is_none();
    let unknown: Vec<&str> = body.iter().filter(is_unknown).map(|(name, _)| name.as_str()).collect();
    if !unknown.is_empty() {
        return Some(format!("Payload validation error: 'Additional properties not allowed: {}'.", unknown.join(",")));
    }
    if matches!(write, Write::Create) {
        let missing = kind.fields.iter().find(|field| field.required && !body.contains_key(&field.name));
        if let Some(field) = missing {
            return Some(format!("Payload validation error: 'Missing required property: {}'.", field.wire_name()));
        }
    }
    body.iter().find_map(|(name, value)| {
        let field = declared(kind, name).or_else(|| sent_along(name))?;
        let is_cleared = value.is_null() && field.clear_as.as_ref().is_some_and(|other| other == name);
        if is_cleared { None } else { wrong(field, value, name, write, false) }
    })
}

/// Finds the field of a name, also among those that only the sandbox serves.
fn declared<'k>(kind: &'k Kind, name: &str) -> Option<&'k Field> {
    kind.fields.get(name).or_else(|| kind.server.fields.get(name).filter(|field| field.child.is_none()))
}

fn is_taken(kind: &Kind, name: &str, value: &Value, write: Write) -> bool {
    declared(kind, name).is_some_and(|field| {
        let is_open = !field.read_only && field.call.is_none() && (!field.is_apart() || field.is_inline());
        is_open
            && match write {
                Write::Create => !field.update_only,
                Write::Update(live) => !field.create_only || (field.server.repeatable && live.get(name) == Some(value)),
            }
    })
}

fn wrong(field: &Field, value: &Value, path: &str, write: Write, may_be_null: bool) -> Option<String> {
    let say = |text: String| Some(format!("Payload validation error: '{text}' on property {path}."));
    if value.is_null() && (field.nullable || may_be_null) {
        return None;
    }
    let expected = match field.holds {
        Type::Any => return None,
        Type::String => "string",
        Type::Integer => "integer",
        Type::Number => "number",
        Type::Boolean => "boolean",
        Type::Object | Type::Map => "object",
        Type::List | Type::Set => "array",
    };
    let found = type_name(value);
    if found != expected && !(expected == "number" && found == "integer") {
        return say(format!("Expected type {expected} but found type {found}"));
    }
    if !field.one_of.is_empty() && !field.one_of.contains(value) {
        return say(format!("No enum match for: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
    }
    if let Some(text) = out_of_bounds(field, value) {
        return say(text);
    }
    if let (Some(format), Some(text)) = (field.format, value.as_str())
        && !text.is_empty()
        && !format.fits(text)
    {
        return say(format!("Object didn't pass validation for format {}: {text}", format_name(format)));
    }
    match value {
        Value::Object(members) => inside(field, members, path, write),
        Value::Array(items) => elements(field, items, path, write),
        _ => None,
    }
}

fn inside(field: &Field, members: &Map<String, Value>, path: &str, write: Write) -> Option<String> {
    if let Some(items) = field.items.as_deref().filter(|_| field.holds == Type::Map) {
        return members
            .iter()
            .find_map(|(name, value)| wrong(items, value, &format!("{path}.{name}"), write, field.merge));
    }
    if let Some(name) = members
        .keys()
        .find(|name| field.fields.get(name).is_some_and(|member| member.read_only && member.lookup.is_none()))
    {
        return Some(format!(
            "Payload validation error: 'Additional properties not allowed: {name}' on property {path}."
        ));
    }
    let is_partial = field.merge && matches!(write, Write::Update(_));
    // What the API finds by a handle beside it need not be sent.
    let is_needed = |member: &Field| {
        let is_found = member.server.joined.is_some() && member.handle_as.is_none();
        member.required && !is_found && !(member.server.kept && matches!(write, Write::Update(_)))
    };
    let mut needed = field.fields.iter().filter(|member| is_needed(member)).map(Field::wire_name);
    if let (Some(name), false) = (needed.find(|name| !members.contains_key(*name)), is_partial) {
        return Some(format!("Payload validation error: 'Missing required property: {name}' on property {path}."));
    }
    field.fields.iter().find_map(|member| {
        let value = members.get(&member.name)?;
        let may_be_null = field.merge || field.server.keeps_nulls;
        wrong(member, value, &format!("{path}.{}", member.name), write, may_be_null)
    })
}

fn elements(field: &Field, values: &[Value], path: &str, write: Write) -> Option<String> {
    let item = field.items.as_deref()?;
    let is_by_handle = field.server.child.is_some();
    values.iter().enumerate().find_map(|(at, value)| {
        let path = format!("{path}[{at}]");
        // An update names existing ones by handle (recorded: PATCH with `credentials: [{id}]`).
        if let (true, Write::Update(_)) = (is_by_handle, write) {
            let other = value.as_object().and_then(|members| members.keys().find(|name| *name != "id"));
            return other.map(|name| {
                format!("Payload validation error: 'Additional properties not allowed: {name}' on property {path}.")
            });
        }
        // Elements at endpoints of their own have the names of the wire.
        if let (Some(kind), Value::Object(members)) = (field.server.element.as_deref(), value) {
            return problem(kind, members, Write::Create);
        }
        wrong(item, value, &path, write, false)
    })
}

fn out_of_bounds(field: &Field, value: &Value) -> Option<String> {
    let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let (min, max) = (field.min.unwrap_or(i64::MIN), field.max.unwrap_or(i64::MAX));
    match value {
        Value::String(text) => {
            let length = count(text.chars().count());
            if length < min {
                return Some(format!("String is too short ({length} chars), minimum {min}"));
            }
            (length > max).then(|| format!("String is too long ({length} chars), maximum {max}"))
        }
        Value::Array(items) => {
            let length = count(items.len());
            if length < min {
                return Some(format!("Array is too short ({length}), minimum {min}"));
            }
            (length > max).then(|| format!("Array is too long ({length}), maximum {max}"))
        }
        Value::Object(members) => {
            let length = count(members.len());
            (length > max).then(|| format!("Too many properties defined ({length}), maximum {max}"))
        }
        Value::Number(number) => {
            let number = number.as_i64()?;
            if number < min {
                return Some(format!("Value {number} is less than minimum {min}"));
            }
            (number > max).then(|| format!("Value {number} is greater than maximum {max}"))
        }
        Value::Null | Value::Bool(_) => None,
    }
}

fn format_name(format: Format) -> &'static str {
    match format {
        Format::NoAngleBrackets => "no-angle-brackets",
        Format::Hostname => "hostname",
        Format::CountryCode => "country-code",
        Format::OrganizationName => "organization-name",
        Format::Pem => "pem",
    }
}
