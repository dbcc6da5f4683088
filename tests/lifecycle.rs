//! What every kind must do, generated from its declaration, over real HTTP: create, change of each
//! field, delete, and nothing left to do after each.

use crate::support::samples::{Shape, beside, is_refused, pointer, sample, shapes, targets, with, with_all_fields};
use crate::support::{World, definitions};
use serde_json::{Map, Value};
use tenantctl::kinds::Registry;
use tenantctl::kinds::kind::{Kind, Type};
use tenantctl::plan::{Action, Policy};
use tenantctl::tenant::Desired;

/// What the samples refer to, and some objects of a kind.
fn desired(kind: &'static Kind, objects: Vec<Map<String, Value>>) -> Desired {
    let mut kinds = targets(kind);
    kinds.entry(kind.name.as_str()).or_default().extend(objects);
    definitions(&kinds)
}

/// Goes through all fields of a kind: made with one value, then changed to another.
async fn every_field(kind: &'static Kind, shape: &Shape) -> usize {
    let world = World::new().await;
    let consent = Policy { allow_delete: true, ..world.policy.clone() };
    let mut seen = 0;
    for (number, path) in shape.leaves().into_iter().enumerate() {
        let last = path[path.len() - 1];
        let Some(first) = sample(last, false) else { continue };
        let at = format!("{}{}", kind.name, pointer(&path));
        let mut start = shape.base(number);
        start.extend(beside(kind, &path));
        let made = with(&start, &path, &first);
        if is_refused(shape.kind, &made) {
            continue;
        }
        let made = desired(kind, vec![made]);
        if last.until.is_some() {
            // It can be written once the object is ready, and another one ends it.
            world.converge(&desired(kind, vec![start.clone()]), &consent).await;
            world.verify_domains().await;
            let planned = world.converge(&made, &consent).await.plan;
            assert_eq!(planned.changes[0].fields[0].path, pointer(&path));
            continue;
        }
        world.converge(&made, &consent).await;
        let Some(second) = sample(last, true) else { continue };
        let changed = with(&start, &path, &second);
        if is_refused(shape.kind, &changed) {
            continue;
        }
        let changed = desired(kind, vec![changed]);
        let planned = world.plan_with(&changed, &consent).await.plan;
        let mine: Vec<_> = planned.changes.iter().filter(|change| change.action != Action::Delete).collect();
        seen += 1;
        if last.secret || last.masked {
            let said = planned.changes.iter().flat_map(|change| &change.fields).any(|edit| edit.sensitive);
            assert!(said || planned.summary.not_comparable > 0, "{at}: {planned:#?}");
            continue;
        }
        if last.call.as_ref().is_some_and(|call| call.value.is_some()) {
            assert!(mine.is_empty() && planned.held.len() == 1, "{at}: {planned:#?}");
            continue;
        }
        assert_eq!(mine.len(), 1, "{at}: {planned:#?}");
        let is_write_once = path.iter().any(|field| field.create_only);
        assert_eq!(mine[0].action == Action::Replace, is_write_once, "{at}");
        let edits = &mine[0].fields;
        assert!(
            !edits.is_empty() && edits.iter().all(|edit| edit.path.starts_with(&pointer(&path))),
            "{at}: {edits:#?}"
        );
        assert!(edits.len() == 1 || last.holds == Type::List, "{at}: {edits:#?}");
        world.converge(&changed, &consent).await;
    }
    seen
}

/// Runs something for each kind, side by side, and says of all that failed.
async fn for_each_kind<F: Future<Output = ()> + Send + 'static>(run: impl Fn(&'static Kind) -> F) {
    let runs: Vec<_> = Registry::builtin().iter().map(|kind| (kind, tokio::spawn(run(kind)))).collect();
    let mut failed = Vec::new();
    for (kind, run) in runs {
        failed.extend(run.await.err().map(|error| format!("{}: {error}", kind.name)));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_every_kind_changes_alone() {
    for_each_kind(|kind| async move {
        let mut seen = 0;
        for shape in shapes(kind) {
            seen += every_field(kind, &shape).await;
        }
        assert!(seen > 0, "{} has fields that change", kind.name);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_are_held_back_without_consent_and_done_with_it() {
    let deletable = |kind: &&'static Kind| !kind.is_fixed();
    for kind in Registry::builtin().iter().filter(deletable) {
        let world = World::new().await;
        let consent = Policy { allow_delete: true, ..world.policy.clone() };
        let mut without = targets(kind);
        without.entry(kind.name.as_str()).or_default();
        let without = definitions(&without);
        let before = world.converge(&without, &world.policy).await.plan.held.len();
        world.converge(&desired(kind, vec![shapes(kind)[0].base(1)]), &world.policy).await;
        let held = world.plan(&without).await.plan;
        assert!(held.is_empty() && held.held.len() == before + 1, "{}: {held:#?}", kind.name);
        let done = world.converge(&without, &consent).await.plan;
        match &kind.delete {
            Some(_) => assert_eq!(done.summary.delete, before + 1, "{}", kind.name),
            None => assert_eq!(done.summary.held, before + 1, "{}: what can't be deleted is held back", kind.name),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_fields_at_once_are_made_and_found_again() {
    for_each_kind(|kind| async move {
        let world = World::new().await;
        world.converge(&definitions(&with_all_fields(kind)), &world.policy).await;
    })
    .await;
}
