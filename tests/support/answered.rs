//! Random tenants in other forms: as the API answers them, in another order, without what clears.

use serde_json::{Map, Value, json};
use tenantctl::kinds::Registry;
use tenantctl::kinds::kind::{Field, Fields, Type};
use tenantctl::tenant::Tenant;
use tenantctl::tenant::names::Names;

use super::definitions;
use super::random::{Draw, Kinds};

/// Gives a tenant as the API would answer it: with handles, and handles in references.
pub(crate) fn live(kinds: &Kinds) -> Tenant {
    let mut tenant = definitions(&without_nulls(kinds)).tenant;
    let registry = Registry::builtin();
    let mut names = Names::default();
    for (name, objects) in &mut tenant.kinds {
        for (number, object) in objects.iter_mut().enumerate() {
            let kind = registry.get(name).unwrap();
            let is_given = kind.id.as_ref().is_some_and(|id| kind.fields.get(id).is_some_and(|field| !field.read_only));
            let fixed = (kind.keys.is_some() || is_given).then(|| object.address.name.clone());
            object.id = kind.id.as_ref().map(|_| fixed.unwrap_or_else(|| format!("{name}_{number}")));
            if let Some(id) = &object.id {
                names.learn(name, &object.address.name, id);
            }
        }
    }
    for (name, objects) in &mut tenant.kinds {
        let kind = registry.get(name).unwrap();
        for object in objects {
            assert!(names.put_ids(kind, &mut object.value).is_empty());
            on_the_wire(&kind.of(&object.value.clone()).fields, &mut object.value);
            if let (Some(field), Some(id)) = (&kind.id, &object.id) {
                object.value.insert(field.clone(), json!(id));
            }
        }
    }
    tenant
}

/// Puts what is a name in files and a handle in answers under its other name, and hides what answers hide.
fn on_the_wire(fields: &Fields, members: &mut Map<String, Value>) {
    for (name, mut value) in std::mem::take(members) {
        let Some(field) = fields.get(&name) else {
            members.insert(name, value);
            continue;
        };
        match (&mut value, field.items.as_deref()) {
            (Value::Array(elements), Some(items)) => {
                elements.iter_mut().filter_map(Value::as_object_mut).for_each(|it| on_the_wire(&items.fields, it));
            }
            (Value::Object(inner), None) if !field.fields.is_empty() => on_the_wire(&field.fields, inner),
            (Value::Object(inner), Some(_)) if field.masked => {
                inner.values_mut().for_each(|value| *value = json!("2.0$in another form"));
            }
            (value, _) if field.masked => *value = json!("********"),
            _ => {}
        }
        if !field.write_only {
            members.insert(field.wire_name().to_owned(), value);
        }
    }
}

/// Brings objects, members and elements of sets into another order that means the same.
pub(crate) fn shuffled(tenant: &Tenant, numbers: Vec<u32>) -> Tenant {
    let mut draw = Draw::new(numbers);
    let mut tenant = tenant.clone();
    for (name, objects) in &mut tenant.kinds {
        shuffle(&mut draw, objects);
        for object in objects {
            let fields = &Registry::builtin().get(name).unwrap().of(&object.value).fields;
            object.value = reordered(&mut draw, fields, &object.value);
        }
    }
    tenant
}

fn shuffle<T>(draw: &mut Draw, items: &mut [T]) {
    for at in (1..items.len()).rev() {
        items.swap(at, at - draw.below(at + 1));
    }
}

fn reordered(draw: &mut Draw, fields: &Fields, map: &Map<String, Value>) -> Map<String, Value> {
    let mut members: Vec<(String, Value)> =
        map.iter().map(|(name, value)| (name.clone(), value_in_order(draw, fields.get(name), value))).collect();
    shuffle(draw, &mut members);
    members.into_iter().collect()
}

fn value_in_order(draw: &mut Draw, field: Option<&Field>, value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let none = Fields::default();
            let fields = field.map_or(&none, |field| &field.fields);
            let item = field.and_then(|field| field.items.as_deref());
            match item {
                Some(item) => {
                    let mut members: Vec<(String, Value)> = map
                        .iter()
                        .map(|(name, value)| (name.clone(), value_in_order(draw, Some(item), value)))
                        .collect();
                    shuffle(draw, &mut members);
                    Value::Object(members.into_iter().collect())
                }
                None => Value::Object(reordered(draw, fields, map)),
            }
        }
        Value::Array(items) => {
            let item = field.and_then(|field| field.items.as_deref());
            let mut items: Vec<Value> = items.iter().map(|value| value_in_order(draw, item, value)).collect();
            if field.is_some_and(|field| field.holds == Type::Set) {
                shuffle(draw, &mut items);
            }
            Value::Array(items)
        }
        other => other.clone(),
    }
}

/// Leaves out what clears.
pub(crate) fn without_nulls(kinds: &Kinds) -> Kinds {
    fn rest(value: &Value) -> Value {
        match value {
            Value::Object(map) => Value::Object(members(map)),
            Value::Array(items) => items.iter().map(rest).collect(),
            other => other.clone(),
        }
    }
    fn members(map: &Map<String, Value>) -> Map<String, Value> {
        map.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), rest(value))).collect()
    }
    kinds.iter().map(|(kind, objects)| (*kind, objects.iter().map(members).collect())).collect()
}
