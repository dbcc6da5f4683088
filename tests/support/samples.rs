//! Sample values of a field, made from its declaration.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tenantctl::kinds::Registry;
use tenantctl::kinds::kind::{Field, Fields, Format, Kind, Type};

use super::targets;

/// A place in an object: the names from the top down.
pub(crate) type Path<'a> = Vec<&'a Field>;

/// Gives the JSON Pointer of a path.
pub(crate) fn pointer(path: &Path) -> String {
    path.iter().fold(String::new(), |pointer, field| pointer + "/" + &field.name)
}

/// Lists the fields of a kind that a definition can change, members of objects one by one.
pub(crate) fn leaves(kind: &Kind) -> Vec<Path<'_>> {
    fn walk<'a>(fields: &'a Fields, above: &Path<'a>, found: &mut Vec<Path<'a>>) {
        for field in fields.iter().filter(|field| !field.read_only && !field.write_only) {
            let mut path = above.clone();
            path.push(field);
            if field.holds == Type::Object && !field.fields.is_empty() && !field.secret {
                walk(&field.fields, &path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&kind.fields, &Vec::new(), &mut found);
    let is_identity = |path: &Path| kind.identity.iter().any(|identity| identity.fields.contains(&path[0].name));
    found.retain(|path| !is_identity(path));
    found
}

/// Gives the value of a field, the first or the second of two that differ.
pub(crate) fn sample(field: &Field, second: bool) -> Option<Value> {
    let n = usize::from(second);
    if !field.one_of.is_empty() {
        return field.one_of.get(n).cloned();
    }
    match field.holds {
        Type::String => text(field, n).map(Value::from),
        Type::Integer | Type::Number => {
            let number = field.min.unwrap_or(1).max(1) + i64::try_from(n).ok()?;
            Some(json!(field.max.map_or(number, |max| number.min(max))))
        }
        Type::Boolean => Some(json!(!second)),
        Type::Object if field.fields.is_empty() => Some(json!({ "member": format!("value{n}") })),
        Type::Object if field.secret => {
            let members = field.fields.iter().filter_map(|field| Some((field.name.clone(), sample(field, second)?)));
            Some(Value::Object(members.collect()))
        }
        Type::Object => Some(required(&field.fields, second)),
        Type::Map => {
            Some(json!({ "key": field.items.as_ref().map_or(Some(json!("v")), |item| sample(item, second))? }))
        }
        Type::List | Type::Set => {
            let item = field.items.as_deref()?;
            let element = |second| {
                let mut element = sample(item, second)?;
                if let (Value::Object(map), [key]) = (&mut element, field.key.as_slice()) {
                    let value = item.fields.get(key).and_then(|field| sample(field, second));
                    map.insert(key.clone(), value.unwrap_or_else(|| json!(format!("key{}", usize::from(second)))));
                }
                Some(element)
            };
            match (second, element(true)) {
                (false, _) => Some(json!([element(false)?])),
                (true, Some(other)) => Some(json!([element(false)?, other])),
                (true, None) => Some(json!([])),
            }
        }
        Type::Any if field.name.is_empty() => Some(json!({ "member": format!("value{n}") })),
        Type::Any => Some(json!(format!("value{n}"))),
    }
}

fn text(field: &Field, n: usize) -> Option<String> {
    if let Some(reference) =
        field.reference.as_ref().filter(|reference| Registry::builtin().get(&reference.kind).is_some())
    {
        return Some(match reference.path.len() {
            0 => format!("Target {n}"),
            1 => format!("https://target{n}.example"),
            _ => format!("read:{n}"),
        });
    }
    match field.format {
        Some(Format::Pem) => (n == 0).then(|| include_str!("public_key.pem").to_owned()),
        Some(Format::CountryCode) => Some(["DE", "FR"][n].to_owned()),
        Some(Format::Hostname) => Some(format!("host{n}.example")),
        _ if field.max.is_some_and(|max| max < 30) => Some(format!("v{n}")),
        _ => Some(format!("https://value{n}.example/path")),
    }
}

fn required(fields: &Fields, second: bool) -> Value {
    // A hidden secret must be at hand wherever its object is sent whole.
    let is_needed = |field: &&Field| (field.required || field.secret && field.write_only) && !field.read_only;
    let members = fields.iter().filter(is_needed);
    Value::Object(members.filter_map(|field| Some((field.name.clone(), sample(field, second)?))).collect())
}

/// Gives an object with one value set, and what else must be there around it.
pub(crate) fn with(base: &Map<String, Value>, path: &Path, value: &Value) -> Map<String, Value> {
    fn put(map: &mut Map<String, Value>, path: &[&Field], value: &Value) {
        match path {
            [] => {}
            [last] => {
                map.insert(last.name.clone(), value.clone());
            }
            [first, rest @ ..] => {
                let inner = map.entry(first.name.clone()).or_insert_with(|| required(&first.fields, false));
                if let Value::Object(inner) = inner {
                    put(inner, rest, value);
                }
            }
        }
    }
    let mut object = base.clone();
    put(&mut object, path, value);
    object
}

/// The smallest object of a kind, told apart by a number.
pub(crate) fn base(kind: &Kind, number: usize) -> Map<String, Value> {
    let value = match kind.name.as_str() {
        "tenant" => json!({}),
        "resourceServers" => json!({"identifier": format!("https://api{number}.example")}),
        "clients" => json!({"name": format!("App {number}")}),
        "clientGrants" => json!({"client_id": "Target 0", "audience": "https://target0.example"}),
        "customDomains" => json!({"domain": format!("d{number}.example"), "type": "auth0_managed_certs"}),
        other => panic!("say what the smallest object of {other} is"),
    };
    value.as_object().unwrap().clone()
}

/// What must stand beside a field for the API to take it.
pub(crate) fn beside(kind: &Kind, path: &Path) -> Map<String, Value> {
    let value = match (kind.name.as_str(), pointer(path).as_str()) {
        ("clients", "/resource_server_identifier") => json!({"app_type": "resource_server"}),
        ("clients", at) if at.starts_with("/client_authentication_methods") => {
            json!({"jwt_configuration": {"alg": "RS256"}})
        }
        ("clients", "/third_party_security_mode") => json!({"is_first_party": false}),
        _ => json!({}),
    };
    value.as_object().unwrap().clone()
}

/// Gives objects of a kind that have all its fields, one each, and what they refer to.
pub(crate) fn with_all_fields(kind: &'static Kind) -> BTreeMap<&'static str, Vec<Map<String, Value>>> {
    let mut kinds = targets();
    let mut objects = Vec::new();
    for (number, path) in leaves(kind).into_iter().enumerate() {
        let Some(value) = sample(path[path.len() - 1], false) else { continue };
        let mut object = if kind.singleton { objects.pop().unwrap_or_default() } else { base(kind, number) };
        object.extend(beside(kind, &path));
        objects.push(with(&object, &path, &value));
    }
    if kind.name == "clientGrants" {
        objects.truncate(1);
    }
    kinds.entry(kind.name.as_str()).or_default().extend(objects);
    kinds
}
