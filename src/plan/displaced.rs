//! What can't stand beside what a definition gives, in an object that an update replaces whole: it is
//! not sent along.
//!
//! Pure, from the kind's rules. A tenant may show both ways of saying one thing, of which the API takes
//! one (deploy-cli-format.md of the API facts, section 7: databases).

use serde_json::{Map, Value};

use crate::kinds::kind::{Kind, Rule, value_of};
use crate::text::escape;

/// A member of the live object that the definition displaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Displaced {
    /// Where it stands: a JSON Pointer (RFC 6901).
    pub(super) pointer: String,
    /// It says something of its own, so that its going is a change.
    pub(super) is_change: bool,
}

/// Lists the members of a live object that its definition displaces, at the top those that can be cleared.
pub(super) fn displaced(kind: &Kind, desired: &Map<String, Value>, live: &Map<String, Value>) -> Vec<Displaced> {
    let both = over(live, desired);
    let mut found: Vec<Displaced> = Vec::new();
    for rule in kind.rules.iter().filter(|rule| rule.holds(&both)) {
        for name in losers(kind, rule, desired, live) {
            let pointer = if name.starts_with('/') { name.clone() } else { format!("/{}", escape(name)) };
            if !found.iter().any(|displaced| displaced.pointer == pointer) {
                found.push(Displaced { pointer, is_change: rule.ignored.is_empty() });
            }
        }
    }
    found
}

/// The members of fields that a rule does not let stand.
fn losers<'r>(kind: &Kind, rule: &'r Rule, desired: &Map<String, Value>, live: &Map<String, Value>) -> Vec<&'r String> {
    let is_there = |object, pointer: &String| value_of(object, pointer).is_some_and(|value| !is_empty(value));
    // What stands at the top is sent alone or not at all, so that there it must be possible to clear it.
    let may_go = |name: &String| name.starts_with('/') || kind.fields.get(name).is_some_and(|field| field.nullable);
    let mut losers: Vec<&String> = Vec::new();
    for pointer in rule.empty.iter().chain(&rule.ignored) {
        if is_there(desired, pointer) {
            losers.extend(rule.given.iter().chain(rule.when.0.keys()).filter(|name| may_go(name)));
        } else if pointer.starts_with('/') {
            losers.push(pointer);
        }
    }
    losers.retain(|pointer| is_there(live, pointer) && !is_there(desired, pointer));
    losers
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// One object over another, member by member.
fn over(below: &Map<String, Value>, above: &Map<String, Value>) -> Map<String, Value> {
    let mut both = below.clone();
    for (name, value) in above {
        let joined = match (both.get(name), value) {
            (Some(Value::Object(below)), Value::Object(above)) => Value::Object(over(below, above)),
            (_, value) => value.clone(),
        };
        both.insert(name.clone(), joined);
    }
    both
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::displaced;
    use crate::kinds::Registry;

    fn pointers(desired: &Value, live: &Value) -> Vec<(String, bool)> {
        let declared = json!([{ "kind": "things", "about": "", "fields": { "options": { "type": "object" } }, "rules": [
            { "given": ["/options/new"], "empty": ["/options/old"], "because": "" },
            { "when": { "/options/flag": true }, "empty": ["/options/new"], "because": "" },
            { "given": ["/options/whole"], "ignored": ["/options/part"], "because": "" },
        ] }]);
        let registry = Registry::parse(&declared.to_string()).unwrap();
        let kind = registry.get("things").unwrap();
        let options = |value: &Value| json!({ "options": value }).as_object().unwrap().clone();
        let found = displaced(kind, &options(desired), &options(live));
        found.into_iter().map(|it| (it.pointer, it.is_change)).collect()
    }

    #[test]
    fn what_a_definition_gives_displaces_what_the_api_refuses_beside_it() {
        let (old, new) = ("/options/old".to_owned(), "/options/new".to_owned());
        for (desired, live, expected) in [
            (json!({ "new": {} }), json!({ "old": {}, "other": 1 }), vec![(old, true)]),
            (json!({ "old": {} }), json!({ "new": {} }), vec![(new.clone(), true)]),
            (json!({ "flag": true }), json!({ "new": {}, "flag": false }), vec![(new, true)]),
            (json!({ "new": {} }), json!({ "flag": true }), vec![("/options/flag".to_owned(), true)]),
            (json!({ "other": 2 }), json!({ "whole": {}, "part": 1 }), vec![("/options/part".to_owned(), false)]),
            (json!({ "part": 2 }), json!({ "whole": {}, "part": 1 }), vec![("/options/whole".to_owned(), false)]),
            (json!({ "new": {} }), json!({ "old": [], "other": 1 }), vec![]),
        ] {
            assert_eq!(pointers(&desired, &live), expected, "{desired} over {live}");
        }
    }
}
