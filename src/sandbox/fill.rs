//! What the API adds to an object: defaults by what was sent, and values that it makes.
//!
//! Pure; it reads `server:` blocks and names no kind. The store calls it for creates, updates and
//! actions; time and randomness come in with the moment. Random texts are drawn from bytes by
//! remainder, which is even enough for a sandbox's handles and keeps 64 characters at 256 bits or more.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::exchange::Moment;
use super::view::masked;
use crate::kinds::kind::{Field, Fields, Kind, Type, value_of};
use crate::kinds::server::Fill;

const ALNUM: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const DIGITS: &[u8] = b"0123456789";
const HEX: &[u8] = b"0123456789abcdef";
const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Where the parts of a template come from.
pub struct Source<'a, 'b> {
    /// The tenant's domain.
    pub domain: &'a str,
    /// Time and randomness.
    pub moment: &'a mut Moment<'b>,
}

impl std::fmt::Debug for Source<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("domain", &self.domain).finish_non_exhaustive()
    }
}

/// Fills in what a create did not send; the handle first, because other templates use it.
pub fn fill_in(
    fields: &Fields,
    first: Option<&str>,
    object: &mut Map<String, Value>,
    sent: &Map<String, Value>,
    source: &mut Source,
) {
    let order = fields.iter().filter(|field| Some(field.name.as_str()) == first);
    for field in order.chain(fields.iter().filter(|field| Some(field.name.as_str()) != first)) {
        match object.get_mut(&field.name) {
            // A null is left only where it is kept as a value.
            None | Some(Value::Null) => {
                if let Some(value) = filled(field, sent, object, source) {
                    object.insert(field.name.clone(), value);
                }
            }
            Some(Value::Object(inner)) if field.holds == Type::Object => {
                fill_in(&field.fields, None, inner, sent, source);
            }
            Some(Value::Array(elements)) => fill_in_elements(field, elements, sent, source),
            Some(_) => {}
        }
    }
}

/// Fills in what was not sent of the elements of a list.
pub fn fill_in_elements(field: &Field, elements: &mut [Value], sent: &Map<String, Value>, source: &mut Source) {
    let Some(items) = field.items.as_deref().filter(|items| !items.fields.is_empty()) else { return };
    for element in elements.iter_mut().filter_map(Value::as_object_mut) {
        fill_in(&items.fields, None, element, sent, source);
    }
}

/// Fills in the members that the API itself sets, in objects that an update replaced.
pub fn fill_in_read_only(
    fields: &Fields,
    object: &mut Map<String, Value>,
    sent: &Map<String, Value>,
    source: &mut Source,
) {
    for field in fields {
        if let (Some(Value::Object(inner)), true) = (object.get_mut(&field.name), sent.contains_key(&field.name)) {
            let mut inner_sent = inner.clone();
            for member in field.fields.iter().filter(|member| member.read_only) {
                if !inner.contains_key(&member.name)
                    && let Some(value) = value(&member.server.fills, sent, inner, source)
                {
                    inner.insert(member.name.clone(), value);
                }
            }
            inner_sent.retain(|name, _| inner.contains_key(name));
            fill_in_read_only(&field.fields, inner, &inner_sent, source);
        }
    }
}

/// Brings back what an object that an update replaced keeps, and fills in anew what the API fills in there.
pub fn fill_in_replaced(
    kind: &Kind,
    object: &mut Map<String, Value>,
    was: &Map<String, Value>,
    sent: &Map<String, Value>,
    source: &mut Source,
) {
    let whole = object.clone();
    for field in kind.fields.iter().filter(|field| !field.merge && sent.contains_key(&field.name)) {
        if let (Some(Value::Object(inner)), Some(Value::Object(was))) =
            (object.get_mut(&field.name), was.get(&field.name))
        {
            restore(&field.fields, inner, Some(was), &whole, source);
        }
    }
}

fn restore(
    fields: &Fields,
    object: &mut Map<String, Value>,
    was: Option<&Map<String, Value>>,
    whole: &Map<String, Value>,
    source: &mut Source,
) {
    for field in fields {
        let before = was.and_then(|was| was.get(&field.name));
        match object.get_mut(&field.name) {
            sent @ (None | Some(Value::Null)) => {
                // A null clears what is kept, but not what is filled in anew (recorded of oidc_metadata).
                let kept = before.filter(|_| field.server.kept && sent.is_none()).cloned();
                let value = kept.or_else(|| match field.server.renews.as_slice() {
                    [] if field.server.renewed => filled(field, whole, object, source),
                    fills => value(fills, whole, object, source),
                });
                if let Some(value) = value {
                    object.insert(field.name.clone(), value);
                }
            }
            Some(value) if field.masked => {
                if let Some(before) = before {
                    unmask(value, before);
                }
            }
            Some(Value::Object(inner)) if field.holds == Type::Object => {
                restore(&field.fields, inner, before.and_then(Value::as_object), whole, source);
            }
            Some(_) => {}
        }
    }
}

/// Takes a text that was sent back as answers show it for the one that it stands for (the Deploy CLI sends all
/// options of a database that it read).
fn unmask(value: &mut Value, before: &Value) {
    if *value == masked(before) {
        *value = before.clone();
    } else if let (Value::Object(members), Value::Object(before)) = (value, before) {
        for (name, member) in members {
            if let Some(before) = before.get(name) {
                unmask(member, before);
            }
        }
    }
}

/// Gives what the API makes of a field that was not sent.
fn filled(field: &Field, sent: &Map<String, Value>, object: &Map<String, Value>, source: &mut Source) -> Option<Value> {
    let Some(collects) = &field.server.collects else {
        return value(&field.server.fills, sent, object, source);
    };
    let is_on = |name: &String| object.get(name) == Some(&Value::Bool(true));
    let parts = collects.of.iter().filter(|(name, _)| is_on(name)).map(|(_, part)| part);
    let Some(between) = &collects.between else { return Some(parts.cloned().collect()) };
    let parts: Vec<&str> = parts.filter_map(Value::as_str).collect();
    Some(Value::String(parts.join(between)))
}

/// Gives the value of the first case that fits.
pub fn value(
    fills: &[Fill],
    sent: &Map<String, Value>,
    object: &Map<String, Value>,
    source: &mut Source,
) -> Option<Value> {
    let fill = fills.iter().find(|fill| fill.when.fits(sent))?;
    let made = fill.value.clone().or_else(|| fill.make.as_ref().map(|template| make(template, object, source)));
    made.or_else(|| value_of(object, fill.from.as_deref()?).cloned())
}

/// Gives an object the values that a declaration sets.
pub fn set(values: &BTreeMap<String, Vec<Fill>>, object: &mut Map<String, Value>, source: &mut Source) {
    let before = object.clone();
    for (name, fills) in values {
        if let Some(value) = value(fills, &before, &before, source) {
            object.insert(name.clone(), value);
        }
    }
}

/// Replaces the parts of all texts of a template.
pub fn make(template: &Value, object: &Map<String, Value>, source: &mut Source) -> Value {
    match template {
        Value::String(text) if text == "{object}" => Value::Object(object.clone()),
        Value::String(text) => match whole(text, object) {
            Some(value) => value.clone(),
            None => Value::String(text_of(text, object, source)),
        },
        Value::Array(items) => items.iter().map(|item| make(item, object, source)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), make(value, object, source))).collect()
        }
        other => other.clone(),
    }
}

/// Gives the value of a text that is one `{field}` and nothing else.
fn whole<'o>(text: &str, object: &'o Map<String, Value>) -> Option<&'o Value> {
    value_of(object, text.strip_prefix('{')?.strip_suffix('}')?)
}

/// Puts the values of fields into a shape; a member of it whose field is missing is left out.
#[must_use]
pub fn shaped(shape: &Value, object: &Map<String, Value>) -> Option<Value> {
    match shape {
        Value::String(text) if text.starts_with('{') => whole(text, object).cloned(),
        Value::Object(members) => Some(Value::Object(
            members.iter().filter_map(|(name, shape)| Some((name.clone(), shaped(shape, object)?))).collect(),
        )),
        constant => Some(constant.clone()),
    }
}

/// Replaces the parts of one text.
pub fn text_of(template: &str, object: &Map<String, Value>, source: &mut Source) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((part, after)) = after.split_once('}') else {
            text.push('{');
            rest = after;
            continue;
        };
        text.push_str(&part_of(part, object, source));
        rest = after;
    }
    text + rest
}

fn part_of(part: &str, object: &Map<String, Value>, source: &mut Source) -> String {
    let field = |name: &str| value_of(object, name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (function, argument) = part.split_once(':').unwrap_or((part, ""));
    let mut random = |letters: &[u8], length: usize| {
        let mut bytes = vec![0; length];
        (source.moment.rng)(&mut bytes);
        bytes.iter().map(|byte| char::from(letters[usize::from(*byte) % letters.len()])).collect::<String>()
    };
    let length = argument.parse().unwrap_or(0);
    match function {
        "alnum" => random(ALNUM, length),
        "digits" => random(DIGITS, length),
        "hex" => random(HEX, length),
        "secret" => random(SECRET, length),
        "uuid" => {
            let hex = random(HEX, 32);
            format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
        }
        "now" => source.moment.timestamp(),
        "tenant.domain" => source.domain.to_owned(),
        "tenant.name" => {
            let label = source.domain.split([':', '.']).next().filter(|name| !name.is_empty()).unwrap_or("sandbox");
            source.moment.tenant_name.unwrap_or(label).to_owned()
        }
        "digest" => URL_SAFE_NO_PAD.encode(Sha256::digest(field(argument).trim())),
        "slug" => field(argument).to_lowercase().replace('_', "-"),
        "host" => field(argument).split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or("").to_owned(),
        name => field(name),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::{Map, Value, json};

    use super::{Source, text_of};
    use crate::sandbox::exchange::Moment;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn templates_are_made_of_their_parts() {
        let object = object(&json!({"id": "cd_AB", "url": "https://a.example.com/x"}));
        let mut rng = |buffer: &mut [u8]| buffer.fill(1);
        let mut moment = Moment { now: 0, rng: &mut rng, scopes: HashSet::new(), tenant_name: None };
        let mut source = Source { domain: "acme.us.example.com:1", moment: &mut moment };
        for (template, expected) in [
            ("cgr_{alnum:4}", "cgr_BBBB"),
            ("lst_{digits:4}", "lst_1111"),
            ("{uuid}", "11111111-1111-4111-a111-111111111111"),
            ("{tenant.name}-{slug:id}", "acme-cd-ab"),
            ("https://{tenant.domain}/", "https://acme.us.example.com:1/"),
            ("{now}", "1970-01-01T00:00:00.000Z"),
            ("{host:url} {missing}.", "a.example.com ."),
            ("open {brace", "open {brace"),
        ] {
            assert_eq!(text_of(template, &object, &mut source), expected);
        }
    }
}
