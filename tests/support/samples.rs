//! Sample values of a field, made from its declaration.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use tenantctl::kinds::kind::{Case, Field, Fields, Format, Kind, Type};
use tenantctl::kinds::{Registry, order};
use tenantctl::tenant::Address;

/// A place in an object: the names from the top down.
pub(crate) type Path<'a> = Vec<&'a Field>;

/// Gives the JSON Pointer of a path.
pub(crate) fn pointer(path: &Path) -> String {
    path.iter().fold(String::new(), |pointer, field| pointer + "/" + &field.name)
}

/// A kind as it is for one case of its variants, and what its objects have for that.
pub(crate) struct Shape {
    pub(crate) kind: &'static Kind,
    pub(crate) start: Map<String, Value>,
    /// The members that only this case has; all fields count without it.
    own: Option<(&'static str, Vec<&'static str>)>,
}

/// Gives the shapes of a kind: each case of its variants, and the kind itself where it has none.
pub(crate) fn shapes(kind: &'static Kind) -> Vec<Shape> {
    let Some(variants) = &kind.variants else { return vec![Shape { kind, start: Map::new(), own: None }] };
    let own = variants.cases.iter().filter(|case| case.kind.is_none());
    let shape = |(at, case): (usize, &'static Case)| {
        let names = case.fields.iter().map(|field| field.name.as_str()).collect();
        Shape {
            kind: &variants.kinds[&case.of[0]],
            start: Map::from_iter([(variants.by.clone(), json!(case.of[0]))]),
            own: (at > 0).then_some((variants.member.as_str(), names)),
        }
    };
    own.enumerate().map(shape).collect()
}

impl Shape {
    /// Lists the fields that a definition can change, members of objects one by one.
    pub(crate) fn leaves(&self) -> Vec<Path<'static>> {
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
        walk(&self.kind.fields, &Vec::new(), &mut found);
        let identity = self.kind.identity.iter().flat_map(|identity| &identity.fields);
        let settled: Vec<&String> = identity.chain(self.start.keys()).collect();
        found.retain(|path| {
            let is_own = |(member, names): &(&str, Vec<&str>)| {
                path[0].name == *member && path.get(1).is_some_and(|field| names.contains(&field.name.as_str()))
            };
            !settled.contains(&&path[0].name) && self.own.as_ref().is_none_or(is_own)
        });
        found
    }

    /// The smallest object, told apart by a number.
    pub(crate) fn base(&self, number: usize) -> Map<String, Value> {
        let name = format!(
            "{}-{number}",
            self.start
                .values()
                .filter_map(Value::as_str)
                .fold(self.kind.name.to_lowercase(), |name, of| name + "-" + of)
        );
        named(self.kind, &self.start, &name, number)
    }
}

/// The object of a kind that samples of others refer to.
pub(crate) fn target(kind: &'static Kind, number: usize) -> Map<String, Value> {
    let shape = shapes(kind).swap_remove(0);
    let mut object = named(shape.kind, &shape.start, &format!("{}-target-{number}", kind.name.to_lowercase()), number);
    match kind.name.as_str() {
        "resourceServers" => {
            object.insert("scopes".to_owned(), json!([{"value": "read:0"}, {"value": "read:1"}]));
        }
        // Only what is deployed can be bound, only what is published be used.
        "actions" => {
            object.insert("deployed".to_owned(), json!(true));
        }
        "actionModules" => {
            object.insert("all_changes_published".to_owned(), json!(true));
        }
        _ => {}
    }
    object
}

/// An object with a name and what it must have.
fn named(kind: &Kind, start: &Map<String, Value>, name: &str, number: usize) -> Map<String, Value> {
    if kind.singleton && kind.create.is_none() {
        return Map::new();
    }
    let mut object = match required(&kind.fields, false) {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    object.extend(start.clone());
    for field in
        kind.identity.iter().take(1).flat_map(|identity| &identity.fields).filter_map(|name| kind.fields.get(name))
    {
        if field.default.is_some() || start.contains_key(&field.name) {
            continue;
        }
        let value = match field.format {
            _ if field.reference.is_some() => sample(field, number % 2 == 1),
            _ if !field.one_of.is_empty() => field.one_of.get(number % field.one_of.len()).cloned(),
            Some(Format::Hostname) => Some(json!(format!("{name}.example"))),
            _ => Some(json!(name)),
        };
        object.extend(value.map(|value| (field.name.clone(), value)));
    }
    if kind.name == "eventStreams" {
        // What a destination must have depends on its type.
        object.extend(beside(kind, &Vec::new()));
    }
    object
}

/// Gives the value of a field, the first or the second of two that differ.
pub(crate) fn sample(field: &Field, second: bool) -> Option<Value> {
    let n = usize::from(second);
    if !field.one_of.is_empty() {
        return field.one_of.get(n).cloned();
    }
    match field.holds {
        Type::String => text(field, n).map(Value::from),
        // The targets have one version.
        Type::Integer if field.name == "module_version_number" => Some(json!(1)),
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
        Type::List if field.items.is_none() => {
            let named = field.within.iter().flat_map(|within| within.iter());
            let deep = named.filter_map(|(name, reference)| {
                let field = Field { reference: Some(reference.clone()), ..Field::default() };
                Some((name.clone(), Value::from(text(&field, n)?)))
            });
            Some(json!([{ "id": format!("value{n}"), "params": { "then": [Value::Object(deep.collect())] } }]))
        }
        Type::List | Type::Set => {
            let item = field.items.as_deref()?;
            let element = |second| {
                let mut element = sample(item, second)?;
                for key in &field.key {
                    let declared = item.fields.get(key);
                    let value = declared.and_then(|field| sample(field, second).or_else(|| sample(field, false)));
                    if let Value::Object(map) = &mut element {
                        map.insert(key.clone(), value.unwrap_or_else(|| json!(format!("key{}", usize::from(second)))));
                    }
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
        if reference.path.len() > 1 {
            return Some(format!("read:{n}"));
        }
        let kind = Registry::builtin().get(&reference.kind).unwrap();
        let object = target(kind, n);
        return match reference.path.first() {
            Some(field) => object.get(field)?.as_str().map(str::to_owned),
            None => Some(Address::of(kind, &object).name),
        };
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

/// Tells whether the API would not take an object, or tenantctl does not manage it.
pub(crate) fn is_refused(kind: &Kind, object: &Map<String, Value>) -> bool {
    kind.unmanaged.iter().any(|objects| objects.when.fits(object))
        || kind.server.refused.iter().any(|objects| objects.when.fits(object))
}

/// What must stand beside a field for the API to take it.
pub(crate) fn beside(kind: &Kind, path: &Path) -> Map<String, Value> {
    let value = match (kind.name.as_str(), pointer(path).as_str()) {
        ("clients", "/resource_server_identifier") => json!({"app_type": "resource_server"}),
        ("clients", at) if at.starts_with("/client_authentication_methods") => {
            json!({"jwt_configuration": {"alg": "RS256"}})
        }
        ("clients", "/third_party_security_mode") => json!({"is_first_party": false}),
        ("databases", at) if at.starts_with("/options/attributes") => {
            json!({"options": {"attributes": {"email": {"identifier": {"active": true}}}}})
        }
        ("networkACLs", "/rule/action/redirect") => {
            json!({"rule": {"action": {"redirect_uri": "https://value0.example/path"}, "scope": "tenant"}})
        }
        ("eventStreams", at) if at.contains("/aws_") => json!({"destination": {
            "type": "eventbridge",
            "configuration": {"aws_account_id": "123456789012", "aws_region": "eu-west-1"},
        }}),
        ("eventStreams", "/destination/configuration/action_id") => {
            json!({"destination": {"type": "action", "configuration": {}}})
        }
        ("eventStreams", _) => json!({"destination": {
            "type": "webhook",
            "configuration": {"webhook_endpoint": "https://value0.example/path", "webhook_authorization": {
                "method": "basic",
                "username": "sample",
                "password": "a-password",
                "token": "a-token",
                "header_value": "a-value",
            }},
        }}),
        ("guardianFactorProviders", at) if at.starts_with("/aws_") || at.starts_with("/sns_") => {
            json!({"name": "push-notification", "provider": "sns"})
        }
        ("guardianFactorProviders", _) => json!({"name": "sms", "provider": "twilio"}),
        ("rateLimitPolicies", "/configuration/redirect_uri") => {
            json!({"configuration": {"action": "redirect", "limit": 10}})
        }
        ("rateLimitPolicies", "/configuration/action" | "/configuration/limit") => {
            json!({"configuration": {"action": "block", "limit": 10}})
        }
        _ => json!({}),
    };
    value.as_object().unwrap().clone()
}

/// Gives objects of a kind that have all its fields, one each, and what they refer to.
pub(crate) fn with_all_fields(kind: &'static Kind) -> BTreeMap<&'static str, Vec<Map<String, Value>>> {
    let mut kinds = targets(kind);
    let mut objects: Vec<Map<String, Value>> = Vec::new();
    for shape in shapes(kind) {
        for (number, path) in shape.leaves().into_iter().enumerate() {
            let Some(value) = sample(path[path.len() - 1], false) else { continue };
            let mut object = match objects.pop() {
                // Of a kind with one object, the one of the last shape has them all.
                Some(object) if kind.singleton && number > 0 => object,
                last => {
                    objects.extend(last.filter(|_| !kind.singleton));
                    shape.base(number)
                }
            };
            object.extend(beside(kind, &path));
            objects.push(with(&object, &path, &value));
            if is_refused(shape.kind, &objects[objects.len() - 1]) {
                objects.pop();
            }
        }
    }
    // Where names are few, each object is made once.
    let mut known = BTreeSet::new();
    objects.retain(|object| known.insert(Address::of(kind, object)));
    kinds.entry(kind.name.as_str()).or_default().extend(objects);
    kinds
}

/// What the samples of a kind refer to, two of each kind, and what those refer to.
pub(crate) fn targets(kind: &'static Kind) -> BTreeMap<&'static str, Vec<Map<String, Value>>> {
    let registry = Registry::builtin();
    let mut kinds = BTreeMap::new();
    let mut waiting = registry.referred(kind);
    while let Some(name) = waiting.pop() {
        let other = registry.get(name).unwrap();
        if name != kind.name && !kinds.contains_key(name) && !other.is_fixed() {
            kinds.insert(name, (0..2).map(|number| target(other, number)).collect());
            waiting.extend(registry.referred(other));
        }
    }
    // Kinds that refer to themselves.
    if order::references(kind, |_| true).iter().any(|reference| reference.kinds().any(|name| name == kind.name)) {
        kinds.insert(kind.name.as_str(), (0..2).map(|number| target(kind, number)).collect());
    }
    kinds
}
