//! Values made of templates: texts with parts in them, and shapes with the values of fields.
//!
//! Pure; the parts are explained in schemas/README.md. Time and randomness come in with the moment. Random
//! texts are drawn from bytes by remainder, which is even enough for a sandbox's handles and keeps 64
//! characters at 256 bits or more.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::exchange::Moment;
use crate::kinds::kind::value_of;

const ALNUM: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const DIGITS: &[u8] = b"0123456789";
const HEX: &[u8] = b"0123456789abcdef";
const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Replaces the parts of all texts of a template.
pub fn of_template(template: &Value, object: &Map<String, Value>, moment: &mut Moment) -> Value {
    match template {
        Value::String(text) if text == "{object}" => Value::Object(object.clone()),
        Value::String(text) => match whole(text, object) {
            Some(value) => value.clone(),
            None => Value::String(text_of(text, object, moment)),
        },
        Value::Array(items) => items.iter().map(|item| of_template(item, object, moment)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), of_template(value, object, moment))).collect()
        }
        other => other.clone(),
    }
}

/// Tells whether a text has the form in which a template makes handles: its own letters, and as many
/// characters as are drawn.
#[must_use]
pub fn has_form(template: &str, text: &str) -> bool {
    let Some((before, rest)) = template.split_once('{') else { return template == text };
    let Some((part, after)) = rest.split_once('}') else { return template == text };
    let length = part.split_once(':').and_then(|(_, length)| length.parse().ok());
    let (Some(text), Some(length)) = (text.strip_prefix(before), length) else { return false };
    text.split_at_checked(length)
        .is_some_and(|(drawn, rest)| drawn.bytes().all(|byte| byte.is_ascii_alphanumeric()) && has_form(after, rest))
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

/// Gives the value of a text that is one `{field}` and nothing else.
fn whole<'o>(text: &str, object: &'o Map<String, Value>) -> Option<&'o Value> {
    value_of(object, text.strip_prefix('{')?.strip_suffix('}')?)
}

/// Replaces the parts of one text.
pub fn text_of(template: &str, object: &Map<String, Value>, moment: &mut Moment) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let Some((part, after)) = after.split_once('}') else {
            text.push('{');
            rest = after;
            continue;
        };
        text.push_str(&part_of(part, object, moment));
        rest = after;
    }
    text + rest
}

fn part_of(part: &str, object: &Map<String, Value>, moment: &mut Moment) -> String {
    let field = |name: &str| value_of(object, name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (function, argument) = part.split_once(':').unwrap_or((part, ""));
    let mut random = |letters: &[u8], length: usize| {
        let mut bytes = vec![0; length];
        (moment.rng)(&mut bytes);
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
        "now" => moment.timestamp(),
        "tenant.domain" => moment.domain.clone(),
        "tenant.name" => {
            let label = moment.domain.split([':', '.']).next().filter(|name| !name.is_empty()).unwrap_or("sandbox");
            moment.tenant_name.unwrap_or(label).to_owned()
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

    use super::text_of;
    use crate::sandbox::exchange::Moment;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn templates_are_made_of_their_parts() {
        let object = object(&json!({"id": "cd_AB", "url": "https://a.example.com/x"}));
        let mut rng = |buffer: &mut [u8]| buffer.fill(1);
        let mut moment = Moment {
            now: 0,
            rng: &mut rng,
            scopes: HashSet::new(),
            domain: "acme.us.example.com:1".into(),
            tenant_name: None,
        };
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
            assert_eq!(text_of(template, &object, &mut moment), expected);
        }
    }

    #[test]
    fn a_handle_has_the_form_that_its_template_makes() {
        for (text, fits) in
            [("acl_a1B2", true), ("acl_a1B", false), ("acl_a1B2c", false), ("a1B2", false), ("acl_a-B2", false)]
        {
            assert_eq!(super::has_form("acl_{alnum:4}", text), fits, "{text}");
        }
    }
}
