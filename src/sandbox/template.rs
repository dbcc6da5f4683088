//! Requests that write elements, read against the declaration of the call: which elements are meant.
//!
//! Pure. A declaration says how a path and a body are made of an element (`{item}`, `{item.name}`,
//! `{handle}`, `{named}`); here it is read the other way round. A list of one template takes as many
//! elements as the request has. The messages are those of the API's validator.

use serde_json::{Map, Value};

use super::exchange::type_name;
use super::router::decode;

/// What a request says of one element.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Found {
    /// The element, or as much of it as was sent.
    pub(super) item: Option<Value>,
    /// Members that stand at places of their own.
    pub(super) members: Map<String, Value>,
    /// The handle: its own, or that of the object which it names.
    pub(super) handle: Option<String>,
}

impl Found {
    /// Tells whether nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn take(&mut self, part: &str, value: &Value) {
        match part {
            "item" => self.item = Some(value.clone()),
            "handle" | "named" => self.handle = value.as_str().map(str::to_owned),
            name => {
                if let Some(member) = name.strip_prefix("item.") {
                    self.members.insert(member.to_owned(), value.clone());
                }
            }
        }
    }
}

/// Reads a path below `/api/v2` against a template; other variables are handles of what the element is below.
pub(super) fn path(template: &str, path: &str) -> Option<Found> {
    let (parts, segments): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    if parts.len() != segments.len() {
        return None;
    }
    let mut found = Found::default();
    for (part, segment) in parts.iter().zip(segments) {
        match variable(part) {
            Some(_) if segment.is_empty() => return None,
            Some(name) => found.take(name, &Value::String(decode(segment))),
            None if *part == segment => {}
            None => return None,
        }
    }
    Some(found)
}

/// A body, cut into what is said of each element.
#[derive(Debug, Default)]
pub(super) struct Cut<'t, 'b> {
    /// The template of an element, and what there is of each, with its place; none for a call without a body.
    pub(super) elements: Vec<(&'t Value, &'b Value, String)>,
    /// What the body says of all elements beside their list.
    pub(super) beside: Found,
    /// The body has a list.
    pub(super) is_list: bool,
}

/// Cuts a body into elements.
pub(super) fn cut<'t, 'b>(template: &'t Value, body: &'b Value) -> Result<Cut<'t, 'b>, String> {
    let mut cut = Cut::default();
    if let Some((name, elements)) = list_in(template) {
        let mut beside = template.clone();
        let mut rest = body.clone();
        if let Value::Object(template) = &mut beside {
            let Value::Object(members) = &mut rest else { return Err(expected("object", body, "")) };
            template.shift_remove(name);
            members.shift_remove(name);
            fit(&beside, &rest, &mut cut.beside, "")?;
        }
        let list = if name.is_empty() { Some(body) } else { body.get(name) };
        let Some(list) = list else { return Err(message(&format!("Missing required property: {name}"), "")) };
        let Value::Array(list) = list else { return Err(expected("array", list, name)) };
        let at = |(index, element): (usize, &'b Value)| (elements, element, format!("{name}[{index}]"));
        cut.elements = list.iter().enumerate().map(at).collect();
        cut.is_list = true;
    } else {
        cut.elements.push((template, body, String::new()));
    }
    Ok(cut)
}

/// Finds the list of one template: the whole body, or one of its members.
fn list_in(template: &Value) -> Option<(&str, &Value)> {
    let only = |value: &'_ Value| matches!(value, Value::Array(list) if list.len() == 1);
    match template {
        Value::Array(list) if only(template) => Some(("", &list[0])),
        Value::Object(members) => {
            let (name, value) = members.iter().find(|(_, value)| only(value))?;
            Some((name, &value[0]))
        }
        _ => None,
    }
}

/// Reads a value against a template; the first thing that does not fit, as a whole message.
pub(super) fn fit(template: &Value, value: &Value, found: &mut Found, place: &str) -> Result<(), String> {
    match template {
        Value::String(text) => match variable(text) {
            Some(name) => found.take(name, value),
            None if value == template => {}
            None => return Err(no_match(value, place)),
        },
        Value::Object(members) => {
            let Value::Object(sent) = value else { return Err(expected("object", value, place)) };
            if let Some(name) = sent.keys().find(|name| !members.contains_key(*name)) {
                return Err(message(&format!("Additional properties not allowed: {name}"), place));
            }
            for (name, template) in members {
                let place = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
                match sent.get(name) {
                    Some(value) => fit(template, value, found, &place)?,
                    None if template.as_str().is_some_and(|text| variable(text).is_some()) => {}
                    None => return Err(message(&format!("Missing required property: {name}"), "")),
                }
            }
        }
        constant if constant == value => {}
        _ => return Err(no_match(value, place)),
    }
    Ok(())
}

/// Gives the name of a template that is nothing but a variable.
fn variable(text: &str) -> Option<&str> {
    text.strip_prefix('{')?.strip_suffix('}')
}

fn no_match(value: &Value, place: &str) -> String {
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    message(&format!("No enum match for: {shown}"), place)
}

fn expected(wanted: &str, value: &Value, place: &str) -> String {
    message(&format!("Expected type {wanted} but found type {}", type_name(value)), place)
}

/// Words what is wrong at a place, as the validator does.
pub(super) fn message(text: &str, place: &str) -> String {
    let place = if place.is_empty() { String::new() } else { format!(" on property {place}") };
    format!("Payload validation error: '{text}'{place}.")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Found, cut, fit, path};

    fn read(template: &Value, body: &Value) -> Result<Vec<Found>, String> {
        let cut = cut(template, body)?;
        let mut found = Vec::new();
        for (template, value, place) in cut.elements {
            let mut one = cut.beside.clone();
            fit(template, value, &mut one, &place)?;
            found.push(one);
        }
        Ok(found)
    }

    fn items(values: &[Value]) -> Vec<Found> {
        values.iter().map(|value| Found { item: Some(value.clone()), ..Found::default() }).collect()
    }

    #[test]
    fn elements_are_read_out_of_bodies() {
        let (one, two) = (json!({"name": "a"}), json!({"name": "b"}));
        assert_eq!(read(&json!("{item}"), &one), Ok(items(std::slice::from_ref(&one))));
        assert_eq!(read(&json!({"all": ["{item}"]}), &json!({"all": [one, two]})), Ok(items(&[one, two])));
        let add = json!([{"client_id": "{item}", "status": true}]);
        assert_eq!(read(&add, &json!([{"client_id": "a", "status": true}])), Ok(items(&[json!("a")])));
        let wrong = read(&add, &json!([{"client_id": "a", "status": false}]));
        assert_eq!(
            wrong,
            Err("Payload validation error: 'No enum match for: false' on property [0].status.".to_owned())
        );
        let named = read(&json!({"grant_id": "{named}"}), &json!({"grant_id": "g"}));
        assert_eq!(named, Ok(vec![Found { handle: Some("g".to_owned()), ..Found::default() }]));
        let deep =
            json!({"bindings": [{"ref": {"type": "name", "value": "{item.name}"}, "display": "{item.display}"}]});
        let found = read(&deep, &json!({"bindings": [{"ref": {"type": "name", "value": "a"}}]})).unwrap();
        assert_eq!(found[0].members, *json!({"name": "a"}).as_object().unwrap());
    }

    #[test]
    fn what_does_not_fit_is_said_with_its_place() {
        let template = json!({"all": ["{item}"]});
        for (body, expected) in [
            (json!({}), "'Missing required property: all'."),
            (json!({"all": "a"}), "'Expected type array but found type string' on property all."),
            (json!({"all": [], "more": 1}), "'Additional properties not allowed: more'."),
            (json!([]), "'Expected type object but found type array'."),
        ] {
            assert_eq!(read(&template, &body), Err(format!("Payload validation error: {expected}")), "{body}");
        }
    }

    #[test]
    fn paths_say_which_element_is_meant() {
        let found = path("/groups/{id}/links/{item.link}", "/groups/g/links/a%7Cb").unwrap();
        assert_eq!(found.members, *json!({"link": "a|b"}).as_object().unwrap());
        assert_eq!(path("/groups/{id}/links/{handle}", "/groups/g/links/h").unwrap().handle.as_deref(), Some("h"));
        assert_eq!(path("/groups/{id}/links", "/groups/g/links"), Some(Found::default()));
        assert_eq!(path("/groups/{id}/links/{link}/ends", "/groups/g/links/a/ends"), Some(Found::default()));
        assert_eq!(path("/groups/{id}/links", "/groups/g/others"), None);
        assert_eq!(path("/groups/{id}/links/{handle}", "/groups/g/links/"), None);
    }
}
