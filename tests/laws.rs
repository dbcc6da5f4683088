//! The laws of the house, on random tenants of all kinds and the API's failures.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, proptest};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value};
use tenantctl::export::files::{Layout, Options, files};
use tenantctl::kinds::Registry;
use tenantctl::kinds::kind::{Field, Fields, Kind};
use tenantctl::plan::{Action, Held, Planned, Policy, plan, scope};
use tenantctl::render::plan_json::{parse_plan, plan_json};
use tenantctl::tenant::{Desired, Object, Tenant, canon};
use tenantctl::text::escape;
use tokio::runtime::Runtime;

use crate::export::{asks_for_nothing, brought_up};
use crate::support::answered::{live, shuffled, without_nulls};
use crate::support::project::{load, project};
use crate::support::proxy::Fault;
use crate::support::random::tenants;
use crate::support::samples::{pointer, shapes};
use crate::support::{World, definitions};

/// Failures are shrunk by few steps where each is a tenant over HTTP.
fn cases(cases: u32, max_shrink_iters: u32) -> ProptestConfig {
    ProptestConfig { cases, max_shrink_iters, failure_persistence: None, ..ProptestConfig::default() }
}

fn consent() -> Policy {
    Policy { allow_delete: true, ..Policy::default() }
}

fn planned(desired: &Desired, live: &Tenant, policy: &Policy) -> Planned {
    plan(Registry::builtin(), desired, live, policy).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// Leaves out what a file never holds; nothing of an object that can't be without it.
fn without_secrets(fields: &Fields, value: &Map<String, Value>) -> Option<Map<String, Value>> {
    let mut kept = Map::new();
    let mut lost = false;
    for (name, value) in value {
        let field = fields.get(name).expect("random tenants have declared fields only");
        if field.belongs_to.is_some() || field.read_only || field.implied && canon::is_nothing(field, value, 2) {
            continue;
        }
        let is_secret = field.secret || field.items.as_ref().is_some_and(|items| items.secret);
        let rest = if is_secret { None } else { rest_of(field, value) };
        match rest {
            Some(value) => drop(kept.insert(name.clone(), value)),
            // A marker stands in its place.
            None if field.secret && field.marker.is_some() => {}
            None if field.required => return None,
            None => lost = true,
        }
    }
    (!(lost && kept.is_empty())).then_some(kept)
}

fn rest_of(field: &Field, value: &Value) -> Option<Value> {
    match value {
        Value::Object(map) if !field.fields.is_empty() => without_secrets(&field.fields, map).map(Value::Object),
        Value::Object(map) => Some(Value::Object(
            map.iter()
                .filter_map(|(name, value)| {
                    let rest = field.items.as_ref().map_or_else(|| Some(value.clone()), |item| rest_of(item, value));
                    Some((name.clone(), rest?))
                })
                .collect(),
        )),
        Value::Array(items) => {
            let rest =
                |value: &Value| field.items.as_ref().map_or_else(|| Some(value.clone()), |item| rest_of(item, value));
            Some(items.iter().filter_map(rest).collect())
        }
        other => Some(other.clone()),
    }
}

/// A fixed name that is always there and has nothing is not written down.
fn says_something(kind: &str, object: &Object) -> bool {
    let kind = Registry::builtin().get(kind).unwrap();
    if let Some(keys) = kind.keys.as_ref().filter(|_| kind.is_fixed() && kind.update.is_some()) {
        return object.value.iter().any(|(name, value)| !keys.is_in(name) && !value.is_null());
    }
    let held = kind.keys.as_ref().and_then(|keys| keys.holds.as_ref());
    held.is_none_or(|held| object.value.get(held).is_some_and(|held| held != &Value::Array(Vec::new())))
}

fn canonical(tenant: &Tenant, form: impl Fn(&Kind, &Map<String, Value>) -> Map<String, Value>) -> Vec<(String, Value)> {
    let mut all: Vec<(String, Value)> = tenant
        .iter()
        .map(|object| {
            let kind = Registry::builtin().get(&object.address.kind).unwrap();
            (object.address.to_string(), Value::Object(form(kind, &object.value)))
        })
        .collect();
    // Of a singleton without fields there may be no file.
    all.retain(|(address, value)| address.contains('/') || *value != Value::Object(Map::new()));
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

/// Lists the fields that an object has.
fn pointers(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    found.insert(at.to_owned());
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| pointers(value, &format!("{at}/{}", escape(name)), found));
        }
        Value::Array(items) => items.iter().for_each(|item| pointers(item, at, found)),
        _ => {}
    }
}

/// What is refused beside what an earlier tenant may have set, and what is not managed.
const NEVER_DRAWN: [&str; 3] = ["clients/is_first_party", "clients/third_party_security_mode", "roles/owner_id"];

#[test]
fn random_tenants_have_every_field_of_every_kind() {
    let mut missing: BTreeSet<String> = Registry::builtin()
        .iter()
        .flat_map(shapes)
        .flat_map(|shape| {
            let kind = &shape.kind.name;
            // Credentials can be given at a create only.
            let is_new = |field: &Field| field.server.child.is_some();
            let needs_new = |field: &Field| field.fields.iter().any(|member| member.required && is_new(member));
            let leaves = shape.leaves().into_iter().filter(|path| !path.iter().any(|it| is_new(it) || needs_new(it)));
            leaves.map(|path| format!("{kind}{}", pointer(&path))).collect::<Vec<_>>()
        })
        .filter(|path| !NEVER_DRAWN.contains(&path.as_str()))
        .collect();
    let mut runner = TestRunner::deterministic();
    for _ in 0..4000 {
        if missing.is_empty() {
            return;
        }
        let mut found = BTreeSet::new();
        for (kind, objects) in tenants().new_tree(&mut runner).unwrap().current() {
            for object in objects {
                pointers(&Value::Object(object), kind, &mut found);
            }
        }
        missing.retain(|path| !found.contains(path));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

proptest! {
    #![proptest_config(cases(96, 4096))]

    #[test]
    fn a_tenant_against_itself_needs_nothing(kinds in tenants()) {
        let plan = planned(&definitions(&kinds), &live(&kinds), &consent()).plan;
        prop_assert!(plan.is_empty(), "{:#?}", plan.changes);
    }

    #[test]
    fn a_plan_does_not_depend_on_order(one in tenants(), other in tenants(), order in vec(any::<u32>(), 0..200)) {
        let (desired, live) = (definitions(&one), live(&other));
        let straight = plan(Registry::builtin(), &desired, &live, &consent());
        let turned = Desired { tenant: shuffled(&desired.tenant, order.clone()), ..desired };
        let again = plan(Registry::builtin(), &turned, &shuffled(&live, order), &consent());
        match (straight, again) {
            (Ok(one), Ok(other)) => prop_assert_eq!(plan_json(&one.plan), plan_json(&other.plan)),
            (one, other) => prop_assert_eq!(
                one.err().map(|it| it.sorted().iter().map(|it| it.message.clone()).collect::<Vec<_>>()),
                other.err().map(|it| it.sorted().iter().map(|it| it.message.clone()).collect::<Vec<_>>())
            ),
        }
    }

    #[test]
    fn a_plan_written_and_read_is_the_plan(one in tenants(), other in tenants()) {
        if let Ok(planned) = plan(Registry::builtin(), &definitions(&one), &live(&other), &consent()) {
            prop_assert_eq!(parse_plan(&plan_json(&planned.plan)).unwrap(), planned.plan);
        }
    }

    #[test]
    fn an_export_read_back_is_the_tenant_without_its_secrets(kinds in tenants()) {
        let live = live(&kinds);
        let tenant = scope::chosen(Registry::builtin(), live.clone(), &Policy::default());
        let mut says = tenant.clone();
        says.kinds.iter_mut().for_each(|(kind, objects)| objects.retain(|object| says_something(kind, object)));
        let left = |kind: &Kind, value: &Map<String, Value>| {
            without_secrets(&kind.of(value).fields, &canon::live(kind, value)).unwrap_or_default()
        };
        for layout in [Layout::Yaml, Layout::Directory] {
            let options = Options { layout, ..Options::default() };
            let folder = project(&files(Registry::builtin(), &tenant, &options).unwrap());
            let loaded = load(folder.path());
            // A text that is not there is null where files of texts are sought.
            let read = |kind: &Kind, value: &Map<String, Value>| {
                let value = canon::desired(kind, value);
                let is_hidden = |name: &String| kind.fields.get(name).is_some_and(|field| field.write_only);
                value.into_iter().filter(|(name, value)| !value.is_null() && !is_hidden(name)).collect()
            };
            prop_assert_eq!(canonical(&says, left), canonical(&loaded.tenant, read));
            let plan = planned(&loaded, &live, &consent()).plan;
            prop_assert!(plan.is_empty() && plan.held.is_empty(), "{:#?}", plan);
        }
    }
}

/// What the API can't do, or not yet: it has no such delete, or its call waits for something, or can't be taken back.
fn can_not_be_done(held: &Held) -> bool {
    let kind = Registry::builtin().get(&held.kind).unwrap();
    let waits = |field: &Field| field.until.is_some() || field.call.as_ref().is_some_and(|call| call.value.is_some());
    match &held.path {
        Some(path) => kind.fields.get(path.trim_start_matches('/')).is_some_and(waits),
        None => held.action == Action::Delete && kind.delete.is_none(),
    }
}

/// Draws how a request fails.
fn faults() -> impl Strategy<Value = Fault> {
    (0..40_usize, any::<[bool; 3]>()).prop_map(|(number, [is_done, is_answered, is_lasting])| Fault {
        number,
        is_done,
        is_answered,
        is_lasting,
    })
}

proptest! {
    #![proptest_config(cases(5, 40))]

    #[test]
    fn a_plan_after_an_apply_is_empty(chain in vec(tenants(), 2..6)) {
        Runtime::new().unwrap().block_on(async {
            let world = World::new().await;
            let policy = Policy { allow_delete: true, ..world.policy.clone() };
            for kinds in &chain {
                world.converge(&definitions(&without_nulls(kinds)), &policy).await;
                // A null clears, also what the API itself has filled in.
                let planned = world.converge(&definitions(kinds), &policy).await;
                for held in &planned.plan.held {
                    assert!(can_not_be_done(held), "{held:?}");
                }
            }
            asks_for_nothing(&world, false).await;
        });
    }

    #[test]
    fn an_export_into_files_brings_them_up_to_the_tenant(from in tenants(), to in tenants()) {
        Runtime::new().unwrap().block_on(async {
            let world = World::new().await;
            let policy = Policy { allow_delete: true, ..world.policy.clone() };
            world.converge(&definitions(&without_nulls(&from)), &policy).await;
            let before = [world.export(false, Layout::Yaml).await, world.export(false, Layout::Directory).await];
            world.converge(&definitions(&without_nulls(&to)), &policy).await;
            for before in &before {
                brought_up(&world, before).await;
            }
        });
    }

    #[test]
    fn a_run_after_a_failed_call_converges(from in tenants(), to in vec((tenants(), faults()), 1..6)) {
        Runtime::new().unwrap().block_on(async {
            let (world, proxy) = World::behind_proxy().await;
            let policy = Policy { allow_delete: true, ..world.policy.clone() };
            world.converge(&definitions(&without_nulls(&from)), &policy).await;
            for (kinds, fault) in &to {
                let desired = definitions(&without_nulls(kinds));
                let planned = world.plan_with(&desired, &policy).await;
                proxy.fail(Some(*fault));
                world.attempt(&planned).await;
                proxy.fail(None);
                world.converge(&desired, &policy).await;
            }
        });
    }
}
