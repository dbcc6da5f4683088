//! Checks of single objects against a small kind made for the purpose.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{check, label};
use crate::error::Severity;
use crate::kinds::Registry;
use crate::tenant::{Address, Object};

const KIND: &str = r#"[{ "kind": "things", "about": "Things.", "identity": [{ "fields": ["name"] }], "id": "id",
  "rules": [
    { "exactly_one": ["owner", "group"], "because": "somebody must own it" },
    { "when": { "all": true }, "empty": ["scope"], "because": "all is all" },
    { "given": ["/inner/new"], "empty": ["/inner/old"], "because": "the new one says the same" }],
  "fields": {
    "name": { "type": "string", "required": true, "format": "no-angle-brackets", "min": 1 },
    "owner": { "type": "string", "max": 5 },
    "group": { "type": "string" },
    "all": { "type": "boolean" },
    "inner": { "type": "object", "fields": { "new": { "type": "boolean" }, "old": { "type": "boolean" } } },
    "count": { "type": "integer", "min": 0, "max": 10 },
    "secret": { "type": "string", "secret": true, "min": 16 },
    "scope": { "type": "set", "items": { "type": "string" } },
    "parts": { "type": "set", "key": ["value"], "items": { "type": "object", "fields": {
        "value": { "type": "string", "required": true }, "mode": { "type": "string", "enum": ["fast", "slow"] } } } },
    "notes": { "type": "map", "merge": true, "max": 2, "items": { "type": "string" } },
    "host": { "type": "string", "format": "hostname", "nullable": true } } }]"#;

fn problems(value: &Value, change: impl FnOnce(&mut Object)) -> Vec<String> {
    let registry = Registry::parse(KIND).unwrap();
    let kind = registry.get("things").unwrap();
    let value = value.as_object().unwrap().clone();
    let address = Address::of(kind, &value);
    let mut object = Object { address, id: None, value, provenance: Arc::default() };
    change(&mut object);
    let shown = |problem: crate::error::Problem| {
        let mark = if problem.severity == Severity::Warning { "warning: " } else { "" };
        let hint = problem.hint.map(|hint| format!(" [{hint}]")).unwrap_or_default();
        format!("{mark}{}{hint}", problem.message)
    };
    check(kind, &object, false).into_iter().map(shown).collect()
}

#[test]
fn rules_name_members_by_their_pointers() {
    let both = json!({"name": "A", "owner": "me", "inner": {"new": true, "old": true}});
    assert_eq!(problems(&both, |_| ()), ["things/A: `inner.old` must be empty: the new one says the same"]);
    let one = json!({"name": "A", "owner": "me", "inner": {"old": true}});
    assert_eq!(problems(&one, |_| ()), Vec::<String>::new());
}

#[test]
fn each_wrong_value_is_named_with_what_is_right() {
    let cases = [
        (json!({"count": "5"}), "things/A: `count` must be a whole number, not a text (`5`) [write it without quotes]"),
        (json!({"count": 11}), "things/A: `count` must be at most 10, not 11"),
        (json!({"owner": "abcdef"}), "things/A: `owner` must have at most 5 characters, not 6"),
        (json!({"owner": 5}), "things/A: `owner` must be a text, not a number (`5`) [put it in quotes]"),
        (
            json!({"scope": "a"}),
            "things/A: `scope` must be a list, not a text (`a`) [write one element as a list of one: `- ...`]",
        ),
        (
            json!({"count": null}),
            "things/A: `count` can't be null: the API does not clear it [leave the field out to leave it alone, or give the value that it should have]",
        ),
        (
            json!({"scope": null}),
            "things/A: `scope` can't be null: the API does not clear it [leave the field out to leave it alone, or write `[]`, which says that it has no elements]",
        ),
        (json!({"coutn": 1}), "things/A: `coutn` is not a field of it [did you mean `count`?]"),
        (
            json!({"parts": [{"value": "a", "mode": "fsat"}]}),
            "things/A: `parts[0].mode` can't be `fsat` [did you mean `fast`? known: `fast` or `slow`]",
        ),
        (json!({"parts": [{"mode": "fast"}]}), "things/A: `parts[0].value` is missing [add `value`]"),
        (json!({"parts": [{"value": "a"}, {"value": "a"}]}), "things/A: `a` stands twice in `parts`"),
        (json!({"scope": ["a", "a"]}), "warning: things/A: `a` stands twice in `scope`"),
        (json!({"notes": {"a": "1", "b": null, "c": "3"}}), "things/A: `notes` must have at most 2 keys, not 3"),
        (
            json!({"host": "no host"}),
            "things/A: `host` must be a host name, such as `login.example.com`, not `no host`",
        ),
        (json!({"secret": "short-text"}), "things/A: `secret` must have at least 16 characters, not 10"),
        (json!({"secret": 12345}), "things/A: `secret` must be a text, not a number ((sensitive)) [put it in quotes]"),
        (
            json!({"group": "g"}),
            "things/A: `group` can't stand beside `owner`: somebody must own it [remove one of `owner` or `group`]",
        ),
        (json!({"owner": null}), "things/A needs `owner` or `group`: somebody must own it"),
        (json!({"all": true, "scope": ["a"]}), "things/A: `scope` must be empty: all is all"),
        (json!({"name": "<b>"}), "things/<b>: `name` must be a text without `<` and `>`, not `<b>`"),
        (
            json!({"zzzzzzzz": 1}),
            "warning: things/A: `zzzzzzzz` is not a field that this version knows: it is sent as it is \
             [`strict: true` in the project file makes this an error]",
        ),
    ];
    for (fields, expected) in cases {
        let mut value = json!({"name": "A", "owner": "x"});
        value.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let found = problems(&value, |_| {});
        assert!(found.iter().any(|problem| problem == expected), "{fields}: {found:#?}");
    }
}

#[test]
fn a_valid_object_has_no_problems() {
    let value = json!({"name": "A", "owner": "x", "host": null, "notes": {"a": null}, "parts": [{"value": "a", "mode": "slow"}]});
    assert_eq!(problems(&value, |_| {}), Vec::<String>::new());
}

#[test]
fn what_a_secret_keyword_went_into_is_not_quoted() {
    let value = json!({"name": "A", "owner": "x", "host": "hunter22 hunter22"});
    let found = problems(&value, |object| {
        Arc::make_mut(&mut object.provenance).sensitive.insert("/host".to_owned());
    });
    assert_eq!(found, ["things/A: `host` must be a host name, such as `login.example.com`, not (sensitive)"]);
}

#[test]
fn pointers_are_written_as_people_write_them() {
    assert_eq!(label("/scopes/0/value"), "scopes[0].value");
    assert_eq!(label("/a~1b/c~0d"), "a/b.c~d");
}

#[test]
fn a_name_of_two_fields_is_one_that_is_known() {
    let kind = Registry::builtin().get("guardianFactorProviders").unwrap();
    let said = |provider: &str| {
        let value = json!({"name": "sms", "provider": provider}).as_object().unwrap().clone();
        let address = Address::of(kind, &value);
        let problems = check(kind, &Object { address, id: None, value, provenance: Arc::default() }, false);
        problems
            .sorted()
            .iter()
            .map(|it| format!("{} [{}]", it.message, it.hint.as_deref().unwrap_or("")))
            .collect::<Vec<_>>()
    };
    assert!(said("twilio").is_empty());
    let known = "known are `sms/twilio` or `push-notification/sns`";
    assert_eq!(said("sns"), [format!("guardianFactorProviders/sms/sns is not known [{known}]")]);
}
