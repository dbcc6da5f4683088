//! Plans as JSON, and back: what `--format json` prints and `--out` saves.
//!
//! The order of members is that of the types, so that the same plan gives the same bytes.

use serde_json::Value;

use super::unplanned::Unplanned;
use crate::error::Error;
use crate::plan::{FORMAT_VERSION, Plan};

/// Writes a plan as JSON.
///
/// # Panics
/// Never: a plan's keys are texts and its values JSON.
#[must_use]
pub fn plan_json(plan: &Plan) -> String {
    serde_json::to_string_pretty(plan).expect("a plan's keys are texts and its values JSON") + "\n"
}

/// Writes the plans of several environments, and the errors of those without one, as one JSON array.
///
/// # Panics
/// Never: as [`plan_json`].
#[must_use]
pub fn plans_json(plans: &[Result<Plan, Unplanned>]) -> String {
    let value = |plan: &Result<Plan, Unplanned>| match plan {
        Ok(plan) => serde_json::to_value(plan),
        Err(unplanned) => serde_json::to_value(unplanned),
    };
    let values: Result<Vec<Value>, _> = plans.iter().map(value).collect();
    let text = values.and_then(|values| serde_json::to_string_pretty(&values));
    text.expect("a plan's keys are texts and its values JSON") + "\n"
}

/// Reads a plan that [`plan_json`] wrote.
///
/// # Errors
/// Says that the text is no plan, or one of another version.
pub fn parse_plan(text: &str) -> Result<Plan, Error> {
    let hint = "make a plan with `tenantctl plan --out FILE`";
    let failed = |cause: String| Error::new("this is no saved plan").because(cause).hint(hint);
    if text.trim().is_empty() {
        return Err(failed("the file is empty".to_owned()));
    }
    let value: Value = serde_json::from_str(text).map_err(|error| failed(format!("it is not JSON: {error}")))?;
    match value.get("format_version") {
        None => return Err(failed("it has no `format_version`".to_owned())),
        Some(version) if version != FORMAT_VERSION => {
            let by = value.get("tool_version").and_then(Value::as_str).unwrap_or("unknown");
            return Err(Error::new(format!("the saved plan has format version {version}, not \"{FORMAT_VERSION}\""))
                .because(format!("it was made by tenantctl {by}"))
                .hint("make the plan and apply it with the same version of tenantctl"));
        }
        Some(_) => {}
    }
    serde_json::from_str(text).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    use super::{parse_plan, plan_json};
    use crate::plan::{
        Action, Change, Consent, Edit, Held, Op, Plan, SecretNote, SecretState, SetEdit, Source, Summary, Unmanaged,
    };
    use crate::render::plan_text::tests::example;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1_000_000i32..1_000_000).prop_map(|minutes| Value::from(f64::from(minutes) / 60.0)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    fn any_action() -> impl Strategy<Value = Action> {
        prop_oneof![Just(Action::Create), Just(Action::Update), Just(Action::Replace), Just(Action::Delete)]
    }

    fn any_edit() -> impl Strategy<Value = Edit> {
        let values = || prop::collection::vec(any_value(), 0..3);
        let set =
            (values(), values(), values()).prop_map(|(added, removed, changed)| SetEdit { added, removed, changed });
        let source = (any::<String>(), any::<usize>(), any::<usize>()).prop_map(|(file, line, column)| Source {
            file,
            line,
            column,
        });
        (
            prop_oneof![Just(Op::Add), Just(Op::Replace), Just(Op::Remove)],
            any::<String>(),
            prop::option::of(any_value()),
            prop::option::of(any_value()),
            any::<bool>(),
            prop::option::of(set),
            prop::option::of(source),
        )
            .prop_map(|(op, path, before, after, sensitive, set, source)| Edit {
                op,
                path,
                before,
                after,
                sensitive,
                set,
                source,
            })
    }

    fn any_plan() -> impl Strategy<Value = Plan> {
        let change = (
            any::<String>(),
            any::<String>(),
            any_action(),
            prop::option::of(any::<String>()),
            prop::collection::vec(any_edit(), 0..3),
            prop::collection::vec(any::<String>(), 0..3),
        )
            .prop_map(|(kind, name, action, id, fields, requires)| Change {
                kind,
                name,
                action,
                id,
                fields,
                again: Vec::new(),
                requires,
            });
        let held = (any::<String>(), any::<String>(), any_action(), prop::option::of(any::<String>()), any::<String>())
            .prop_map(|(kind, name, action, path, reason)| Held { kind, name, action, path, reason });
        let note = (any::<String>(), any::<String>(), any::<String>(), prop::option::of(any::<String>())).prop_map(
            |(kind, name, path, keyword)| {
                let state = if keyword.is_some() { SecretState::Kept } else { SecretState::NotComparable };
                SecretNote { kind, name, path, state, keyword }
            },
        );
        let summary = any::<[usize; 9]>().prop_map(
            |[create, update, replace, delete, held, unchanged, unmanaged, not_comparable, kept]| Summary {
                create,
                update,
                replace,
                delete,
                held,
                unchanged,
                unmanaged,
                not_comparable,
                kept,
            },
        );
        (
            any::<String>(),
            prop::collection::vec(change, 0..3),
            prop::collection::vec(held, 0..3),
            prop::collection::vec(note, 0..3),
            summary,
        )
            .prop_map(|(text, changes, held, secrets, summary)| Plan {
                format_version: crate::plan::FORMAT_VERSION.to_owned(),
                tool_version: text.clone(),
                environment: text.clone(),
                tenant: text.clone(),
                definitions_sha256: text.clone(),
                consent: Consent::default(),
                changes,
                held,
                secrets,
                unmanaged: vec![Unmanaged { kind: "clients".to_owned(), name: text.clone(), id: Some(text) }],
                summary,
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn a_plan_read_back_is_the_same_plan(plan in any_plan()) {
            prop_assert_eq!(parse_plan(&plan_json(&plan)).unwrap(), plan);
        }
    }

    #[test]
    fn what_is_no_plan_is_refused_with_the_reason() {
        for (text, message, cause) in [
            ("", "this is no saved plan", "the file is empty"),
            ("clients: []", "this is no saved plan", "it is not JSON"),
            ("[]", "this is no saved plan", "it has no `format_version`"),
            (r#"{"format_version":"1"}"#, "this is no saved plan", "missing field"),
            (r#"{"format_version":"2","tool_version":"9.0.0"}"#, "format version \"2\"", "tenantctl 9.0.0"),
        ] {
            let error = parse_plan(text).unwrap_err();
            assert!(error.message.contains(message), "{text}: {error}");
            assert!(error.causes[0].contains(cause), "{text}: {:?}", error.causes);
            assert!(error.hint.is_some());
        }
    }

    #[test]
    fn the_same_plan_gives_the_same_bytes() {
        let text = plan_json(&example());
        assert_eq!(plan_json(&parse_plan(&text).unwrap()), text);
    }
}
