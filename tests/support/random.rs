//! Random tenants of all kinds, made from the declarations.
//!
//! An object is drawn from a list of numbers; where the list ends, zeros follow, and a zero always
//! means the smaller choice. So fewer and shorter lists with smaller numbers make a smaller tenant,
//! and proptest shrinks tenants without knowing what one is.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use serde_json::{Map, Value, json};
use tenantctl::kinds::Registry;
use tenantctl::kinds::kind::{Field, Fields, Format, Kind, Named, Reference, Rule, Type, remove_at};
use tenantctl::tenant::{Address, identity_of};

use super::samples::{Shape, is_refused, shapes};

/// The objects of a tenant, by kind, references by name.
pub(crate) type Kinds = BTreeMap<&'static str, Vec<Map<String, Value>>>;

/// Texts that YAML, keyword replacement or JSON Pointers could take for something else.
pub(crate) const TEXTS: &[&str] = &[
    "plain",
    "https://value.example/path",
    "a \"quoted\" 'text' \\ /~1",
    "##X## and @@X@@ and ${{ keywords.X }}",
    "yes",
    "2024-01-01",
    " blanks around ",
    "two\nlines\n",
    "Größe 😀",
    "# no comment: [",
    "1.0",
];

/// Scopes that every API has, so that grants have something to grant.
const SCOPES: [&str; 3] = ["read:a", "write:a", "##SCOPE##"];

/// The most objects of a kind.
const MOST: usize = 4;

/// Draws tenants: all kinds are managed, with few objects each.
pub(crate) fn tenants() -> impl Strategy<Value = Kinds> {
    // One kind after the other, so that a kind with many fields leaves the others theirs.
    let kinds = Registry::builtin().in_order().map(|_| vec(vec(any::<u32>(), 0..600), 0..=MOST)).collect::<Vec<_>>();
    kinds.prop_map(|kinds| {
        let mut draw = Draw::new(Vec::new());
        for (kind, objects) in Registry::builtin().in_order().zip(kinds) {
            draw.kind(kind, objects);
        }
        draw.names
    })
}

/// Draws one after the other from a list of numbers.
pub(crate) struct Draw {
    numbers: std::vec::IntoIter<u32>,
    names: Kinds,
}

impl Draw {
    pub(crate) fn new(numbers: Vec<u32>) -> Self {
        Self { numbers: numbers.into_iter(), names: Kinds::new() }
    }

    /// Gives a number below another.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.numbers.next().map_or(0, |number| usize::try_from(number).unwrap() % end)
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { Some(of[self.below(of.len())].clone()) }
    }

    /// Draws the objects of a kind, one from each list of numbers.
    fn kind(&mut self, kind: &'static Kind, mut lists: Vec<Vec<u32>>) {
        // What is always there is in every tenant: nothing else ends what an earlier one said of it.
        match &kind.keys {
            _ if kind.singleton => lists.resize(1, Vec::new()),
            Some(keys) if kind.is_fixed() => lists.resize(MOST.min(keys.values.len()), Vec::new()),
            _ => {}
        }
        self.names.insert(&kind.name, Vec::new());
        let mut known = BTreeSet::new();
        for (number, numbers) in lists.into_iter().enumerate() {
            self.numbers = numbers.into_iter();
            let fixed = kind.keys.as_ref().filter(|_| kind.is_fixed());
            let fixed = fixed.map(|keys| keys.members(&keys.values[number]));
            let Some(mut object) = self.object(kind, fixed.into_iter().flatten().collect()) else { continue };
            if known.insert(Address::of(kind, &object)) {
                let objects = self.names.entry(&kind.name).or_default();
                for mark in kind.fields.iter().filter(|field| field.exclusive && !objects.is_empty()) {
                    object.remove(&mark.name);
                }
                objects.push(object);
            }
        }
    }

    fn object(&mut self, kind: &'static Kind, name: Map<String, Value>) -> Option<Map<String, Value>> {
        let shapes = shapes(kind);
        // A case is drawn as often as it has fields of its own.
        let weights = shapes.iter().map(|shape| 1 + shape.leaves().len());
        let fields = self.below(weights.clone().sum());
        let ends = weights.scan(0, |end, weight| {
            *end += weight;
            Some(*end)
        });
        let at = ends.take_while(|end| *end <= fields).count();
        let Shape { kind, start, .. } = &shapes[at];
        let kind: &Kind = kind;
        let all = kind.identity.iter().flat_map(|way| &way.fields).collect::<BTreeSet<_>>();
        let way = self.one(&kind.identity).map(|way| way.fields).unwrap_or_default();
        let mut object = start.clone();
        object.extend(name);
        for name in &way {
            if !object.contains_key(name) {
                let value = self.name(kind, name, &object)?;
                object.insert(name.clone(), value);
            }
        }
        let is_settled = |field: &Field| all.contains(&field.name) || start.contains_key(&field.name);
        let is_needed = |field: &Field| is_to_be_said(kind, field);
        let others = self.members(&kind.fields, &object, 6, &is_needed, &is_settled)?;
        object.extend(others);
        settle(&mut object);
        if kind.fields.get("scopes").is_some_and(|field| field.key == ["value"]) {
            let scopes = object.entry("scopes").or_insert_with(|| json!([]));
            if !scopes.is_array() {
                *scopes = json!([]);
            }
            scopes.as_array_mut().unwrap().extend(SCOPES.map(|scope| json!({ "value": scope })));
        }
        kind.rules.iter().for_each(|rule| keep_to(rule, &mut object));
        Some(object).filter(|object| !is_refused(kind, object))
    }

    /// Draws the value of a field by which objects are recognised.
    fn name(&mut self, kind: &Kind, name: &str, siblings: &Map<String, Value>) -> Option<Value> {
        let field = kind.fields.get(name).unwrap();
        if !field.one_of.is_empty() || field.reference.is_some() {
            return self.value(field, siblings);
        }
        let text = match field.format {
            Some(Format::Hostname) => format!("host{}.example", self.below(4)),
            Some(Format::OrganizationName) => format!("organization-{}", self.below(4)),
            _ => ["One", "Two", "yes", "##X##", "Größe \"3\"", "a: b", "2024-01-01"][self.below(7)].to_owned(),
        };
        // Two kinds on one endpoint share their names.
        Some(json!(if kind.server.served_by.is_some() { format!("{text} too") } else { text }))
    }

    /// Draws the members of an object, one of so many; nothing where one that it needs can't be.
    fn members(
        &mut self,
        fields: &Fields,
        siblings: &Map<String, Value>,
        one_of: usize,
        is_needed: &dyn Fn(&Field) -> bool,
        is_settled: &dyn Fn(&Field) -> bool,
    ) -> Option<Map<String, Value>> {
        let mut members = siblings.clone();
        for field in fields.iter().filter(|field| !field.read_only && !is_settled(field)) {
            // What has many members, and what others wait for, is there more often.
            let is_often = field.fields.iter().count() > 8 || field.call.is_some();
            let one_of = if is_often { 2 } else { one_of };
            // What the API does not show must be at hand wherever the object around it is sent whole.
            let is_hidden = field.masked || field.write_only && field.secret;
            let is_wanted = field.required || is_hidden || is_needed(field) || self.below(one_of) == 1;
            if !is_wanted {
                continue;
            }
            // Credentials can be given at a create only.
            let value = if field.server.child.is_some() {
                None
            } else if field.nullable && !field.required && !can_not_be_cleared(field) && self.below(6) == 1 {
                Some(Value::Null)
            } else {
                self.value(field, &members)
            };
            match value {
                Some(value) => drop(members.insert(field.name.clone(), value)),
                None if field.required => return None,
                None => {}
            }
        }
        Some(members)
    }

    fn value(&mut self, field: &Field, siblings: &Map<String, Value>) -> Option<Value> {
        if let Some(reference) = field.reference.as_ref().filter(|it| Registry::builtin().get(&it.kind).is_some()) {
            return self.referred(reference);
        }
        if !field.one_of.is_empty() {
            return self.one(&field.one_of);
        }
        Some(match field.holds {
            Type::Any if field.name.is_empty() => json!({ "type": self.text(field), "more": { "b": 1, "a": [2.0] } }),
            Type::String | Type::Any => json!(self.text(field)),
            // The first version of what is published is always there.
            Type::Integer if field.name == "module_version_number" => json!(1),
            Type::Integer => {
                let number = field.min.unwrap_or(1) + i64::try_from(self.below(4)).unwrap();
                json!(field.max.map_or(number, |max| number.min(max)))
            }
            Type::Number => json!(f64::from(u32::try_from(4 + self.below(8)).unwrap()) / 4.0),
            Type::Boolean => json!(self.below(2) == 1),
            Type::Object if field.fields.is_empty() => json!({ "member": self.text(field) }),
            Type::Object => Value::Object(self.members(&field.fields, &Map::new(), 2, &|_| false, &|_| false)?),
            Type::Map => {
                let items = field.items.as_deref();
                let count = 1 + self.below(2);
                let members = (0..count).filter_map(|n| {
                    let value = items.map_or_else(|| Some(json!("v")), |item| self.value(item, siblings))?;
                    Some((["key", "other ~/key"][n].to_owned(), value))
                });
                Value::Object(members.collect())
            }
            Type::List | Type::Set => {
                let item = field.items.as_deref()?;
                let least = usize::try_from(field.min.unwrap_or(0)).unwrap();
                let count = least.max(self.below(4));
                let elements = (0..count).filter_map(|n| self.element(field, item, siblings, n)).collect::<Vec<_>>();
                let elements = if field.holds == Type::Set { unlike(field, elements) } else { elements };
                Value::Array(Some(elements).filter(|elements| elements.len() >= least)?)
            }
        })
    }

    fn element(&mut self, field: &Field, item: &Field, siblings: &Map<String, Value>, n: usize) -> Option<Value> {
        if let Some(named) = &item.names {
            return self.named(named);
        }
        let mut element = self.value(item, siblings)?;
        let Value::Object(members) = &mut element else { return Some(element) };
        for key in &field.key {
            match item.fields.get(key).filter(|key| key.reference.is_some() || !key.one_of.is_empty()) {
                Some(_) if members.contains_key(key) => {}
                Some(declared) => drop(members.insert(key.clone(), self.value(declared, members)?)),
                None => drop(members.insert(key.clone(), json!(format!("key {n}")))),
            }
        }
        Some(element)
    }

    /// Draws an object that is named by members, where these are enough.
    fn named(&mut self, named: &Named) -> Option<Value> {
        let kind = Registry::builtin().get(&named.kind).unwrap();
        let objects = self.names.get(named.kind.as_str()).cloned().unwrap_or_default();
        let object = self.one(&objects)?;
        let is_plain =
            identity_of(kind, &object)?.fields.iter().all(|name| named.by.contains(name) || object.get(name).is_none());
        let members = named.by.iter().map(|name| Some((name.clone(), object.get(name)?.clone())));
        members.collect::<Option<Map<_, _>>>().filter(|_| is_plain).map(Value::Object)
    }

    fn referred(&mut self, reference: &Reference) -> Option<Value> {
        if reference.path.len() > 1 {
            return Some(json!(SCOPES[self.below(SCOPES.len())]));
        }
        let objects: Vec<(&Kind, Map<String, Value>)> = reference
            .kinds()
            .filter_map(|name| Registry::builtin().get(name))
            .flat_map(|kind| self.names.get(kind.name.as_str()).into_iter().flatten().map(move |it| (kind, it.clone())))
            .filter(|(kind, object)| is_usable(kind, object))
            .collect();
        let (kind, object) = self.one(&objects)?;
        match reference.path.first() {
            Some(field) => object.get(field).cloned(),
            None => Some(json!(Address::of(kind, &object).name)),
        }
    }

    fn text(&mut self, field: &Field) -> String {
        let n = self.below(TEXTS.len());
        match field.format {
            Some(Format::Pem) => include_str!("public_key.pem").to_owned(),
            Some(Format::CountryCode) => ["DE", "FR"][n % 2].to_owned(),
            Some(Format::Hostname) => format!("host{n}.example"),
            _ if field.max.is_some_and(|max| max < 60) => format!("v{n}"),
            _ if field.secret => format!("secret number {n} of many"),
            _ => TEXTS[n].to_owned(),
        }
    }
}

/// Keeps one of each element that the API would take for the same.
fn unlike(field: &Field, elements: Vec<Value>) -> Vec<Value> {
    let mut known = BTreeSet::new();
    elements.into_iter().filter(|element| known.insert(tenantctl::tenant::canon::member_key(field, element))).collect()
}

/// Settles what the API wants of fields together, so that any tenant can become any other.
fn settle(object: &mut Map<String, Value>) {
    if object.contains_key("resource_server_identifier") {
        object.insert("app_type".to_owned(), json!("resource_server"));
    }
    // What belongs to third parties is refused beside what an earlier tenant may have set.
    object.remove("is_first_party");
    object.remove("third_party_security_mode");
    if object.contains_key("client_authentication_methods") || object.contains_key("jwt_configuration") {
        let configuration = object.entry("jwt_configuration").or_insert_with(|| json!({}));
        configuration["alg"] = json!("RS256");
    }
    let attributes = object.get_mut("options").and_then(|options| options.get_mut("attributes"));
    if let Some(Value::Object(attributes)) = attributes {
        let email = attributes.entry("email").or_insert_with(|| json!({}));
        email["identifier"]["active"] = json!(true);
    }
}

/// Tells whether objects of a kind must say what a field refers to: what an earlier tenant said, and a later one
/// does not, would stay, and what it refers to could not be deleted.
fn is_to_be_said(kind: &Kind, field: &Field) -> bool {
    let mut used = Registry::builtin().iter().flat_map(|other| &other.server.used_by);
    used.any(|used| used.kind == kind.name && used.field.as_ref() == Some(&field.name))
}

/// Tells whether others can refer to an object: only what is deployed can be bound, only what is published used.
fn is_usable(kind: &Kind, object: &Map<String, Value>) -> bool {
    let mut calls = kind.fields.iter().filter_map(|field| Some((&field.name, field.call.as_ref()?.value.as_ref()?)));
    calls.all(|(name, value)| object.get(name) == Some(value))
}

/// Tells whether a null leaves a field as it is: one that the API fills in again (recorded of the metadata of
/// connections), and one that every object has.
fn can_not_be_cleared(field: &Field) -> bool {
    field.server.renewed || field.hidden_without.is_some()
}

fn keep_to(rule: &Rule, object: &mut Map<String, Value>) {
    if !rule.holds(object) {
        return;
    }
    let given = rule.at_most_one.iter().filter(|name| object.contains_key(*name)).skip(1).cloned().collect::<Vec<_>>();
    for name in rule.empty.iter().chain(&rule.ignored).chain(&given) {
        remove_at(object, name);
    }
}
