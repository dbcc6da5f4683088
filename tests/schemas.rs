//! The declarations against the API's own schemas, whose properties are listed in `tests/api/`.

use std::fs;
use std::path::Path;

use tenantctl::kinds::Registry;
use tenantctl::kinds::kind::{Field, Fields, Keys, Kind};

/// Tells whether a pointer means a field, or a member of something open, in one of the kind's variants.
fn is_declared(kind: &Kind, pointer: &str) -> bool {
    let variants = kind.variants.iter().flat_map(|variants| variants.kinds.values());
    std::iter::once(kind)
        .chain(variants.map(std::sync::Arc::as_ref).filter(|variant| variant.name == kind.name))
        .any(|kind| is_declared_as(kind, pointer))
}

fn is_declared_as<'a>(kind: &'a Kind, pointer: &str) -> bool {
    let mut fields: &'a Fields = &kind.fields;
    let mut found: Option<&'a Field> = None;
    for part in pointer.trim_start_matches('/').split('/') {
        if found.is_some_and(|field| field.fields.is_empty() && field.items.is_none()) {
            return true;
        }
        let next = match (part, found) {
            ("[]", Some(field)) => field.items.as_deref(),
            _ => fields.find(part),
        };
        let Some(next) = next else { return false };
        fields = &next.fields;
        found = Some(next);
    }
    true
}

#[test]
fn every_property_of_the_api_is_declared_or_left_out_for_a_reason() {
    let registry = Registry::builtin();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api");
    let mut missing = Vec::new();
    let mut seen = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let kind = registry.get(&name).unwrap_or_else(|| panic!("{name} has no declaration"));
        for pointer in fs::read_to_string(&path).unwrap().lines() {
            seen += 1;
            let is_omitted = kind.omitted.keys().any(|omitted| {
                pointer.strip_prefix(omitted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            if !is_declared(kind, pointer) && !is_omitted {
                missing.push(format!("{name}{pointer}"));
            }
        }
        for pointer in kind.omitted.keys() {
            assert!(!is_declared(kind, pointer), "{name}{pointer} is declared and left out");
        }
    }
    assert!(seen > 500, "the lists of properties are there");
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_kind_has_its_list_of_properties() {
    for kind in Registry::builtin() {
        let list = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/api/{}.txt", kind.name));
        assert!(list.exists(), "{} has no list in tests/api", kind.name);
    }
}

#[test]
fn what_a_declaration_names_exists() {
    for kind in Registry::builtin() {
        let is_field = |name: &String| is_declared(kind, name);
        for identity in &kind.identity {
            assert!(identity.fields.iter().all(is_field), "{}: identity", kind.name);
        }
        assert!(kind.id.iter().all(is_field), "{}: id", kind.name);
        assert!(kind.own.iter().all(is_field), "{}: own", kind.name);
        for rule in &kind.rules {
            // What is ignored may be what other tools write.
            let named = [&rule.exactly_one, &rule.at_most_one, &rule.empty];
            assert!(named.into_iter().flatten().all(is_field), "{}: {}", kind.name, rule.because);
        }
        let directory =
            kind.directory.as_ref().unwrap_or_else(|| panic!("{} has no place in the directory layout", kind.name));
        let parts = directory.file.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name);
        for name in parts.flat_map(|names| names.split('|')) {
            let name = name.split_once('.').map_or(name, |(name, _)| name).to_owned();
            assert!(is_field(&name), "{}: directory: {name}", kind.name);
        }
        assert!(
            directory.first <= directory.is_whole() && directory.skips_empty <= !directory.is_whole(),
            "{}",
            kind.name
        );
        assert_eq!(
            directory.is_whole() || directory.each,
            kind.singleton || ["customDomains", "triggers", "phoneProviders"].contains(&kind.name.as_str())
        );
        let is_several = kind.list.is_some() || kind.keys.is_some();
        assert!(kind.singleton != is_several, "{}: a singleton, a list or fixed names", kind.name);
        assert!(kind.keys.iter().flat_map(Keys::fields).all(|name| is_field(&name.to_owned())), "{}: keys", kind.name);
    }
}
