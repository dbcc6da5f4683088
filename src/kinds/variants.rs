//! Kinds whose fields depend on a value of the object: each case becomes a kind of its own, once, so
//! that no other room has to look at cases. A kind that is a case of another one is served by that one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kind::Kind;

/// Gives all kinds with their variants made, and those that another one serves with its name.
///
/// # Errors
/// Says which declaration names a member or a kind that is not there.
pub(super) fn resolved(mut kinds: Vec<Kind>) -> Result<Vec<Kind>, String> {
    let served: BTreeMap<String, String> = kinds
        .iter()
        .flat_map(|kind| {
            let cases = kind.variants.iter().flat_map(|variants| &variants.cases);
            cases.filter_map(|case| Some((case.kind.clone()?, kind.name.clone())))
        })
        .collect();
    for kind in &mut kinds {
        kind.server.served_by = served.get(&kind.name).cloned();
    }
    let made = kinds.iter().map(|kind| made(kind, &kinds)).collect::<Result<Vec<_>, _>>()?;
    for (kind, made) in kinds.iter_mut().zip(made) {
        if let Some(variants) = &mut kind.variants {
            variants.kinds = made;
        }
    }
    Ok(kinds)
}

/// Makes the kind of each value that has a case.
fn made(kind: &Kind, all: &[Kind]) -> Result<BTreeMap<String, Arc<Kind>>, String> {
    let mut made = BTreeMap::new();
    let Some(variants) = &kind.variants else { return Ok(made) };
    for case in &variants.cases {
        let variant = if let Some(name) = &case.kind {
            let other = all.iter().find(|other| other.name == *name);
            other.ok_or_else(|| format!("{}: no kind `{name}` for {}", kind.name, case.of.join(", ")))?.clone()
        } else {
            let case_of = Some((variants.by.clone(), variants.member.clone()));
            let mut variant = Kind { variants: None, case_of, ..kind.clone() };
            let member = variant
                .fields
                .get_mut(&variants.member)
                .ok_or_else(|| format!("{}: no field `{}` for its variants", kind.name, variants.member))?;
            // The fields of a case, then the common ones that it does not have.
            member.fields = case.fields.before(&member.fields);
            variant
        };
        let variant = Arc::new(variant);
        made.extend(case.of.iter().map(|value| (value.clone(), Arc::clone(&variant))));
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use crate::kinds::Registry;

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_variant_has_the_common_members_and_its_own() {
        let declared = json!([
            { "kind": "streams", "about": "", "variants": { "by": "type", "in": "sink", "cases": [
                { "of": ["http", "https"], "fields": { "url": { "type": "string" }, "format": { "type": "integer" } } },
                { "of": ["other"], "kind": "others" },
            ] }, "fields": {
                "type": { "type": "string" },
                "sink": { "type": "object", "fields": { "format": { "type": "string" }, "level": { "type": "string" } } },
            } },
            { "kind": "others", "about": "", "fields": { "else": { "type": "string" } } },
        ]);
        let registry = Registry::parse(&declared.to_string()).unwrap();
        let kind = registry.get("streams").unwrap();
        let names = |value: &Value| -> Vec<String> {
            let kind = kind.of(&object(value));
            let sink = kind.fields.get("sink").map_or(&kind.fields, |sink| &sink.fields);
            sink.iter().map(|field| format!("{} {:?}", field.name, field.holds)).collect()
        };
        assert_eq!(names(&json!({ "type": "https" })), ["url String", "format Integer", "level String"]);
        assert_eq!(names(&json!({ "type": "unknown" })), ["format String", "level String"]);
        assert_eq!(names(&json!({})), ["format String", "level String"]);
        assert_eq!(names(&json!({ "type": "other" })), ["else String"]);
    }
}
