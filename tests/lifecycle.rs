//! What every kind must do, generated from its declaration, over real HTTP: create, change of each
//! field, delete, and nothing left to do after each.

use crate::support::samples::{base, beside, leaves, pointer, sample, with, with_all_fields};
use crate::support::{World, definitions, targets};
use serde_json::{Map, Value};
use tenantctl::kinds::Registry;
use tenantctl::kinds::kind::Kind;
use tenantctl::plan::{Action, Policy};
use tenantctl::tenant::Desired;

fn kind_of(name: &str) -> &'static Kind {
    Registry::builtin().get(name).unwrap()
}

/// What the samples refer to, and some objects of a kind.
fn desired(kind: &Kind, objects: Vec<Map<String, Value>>) -> Desired {
    let mut kinds = targets();
    kinds.entry(Box::leak(kind.name.clone().into_boxed_str())).or_default().extend(objects);
    definitions(&kinds)
}

/// Goes through all fields of a kind: made with one value, then changed to another.
async fn every_field(name: &str) {
    let kind = kind_of(name);
    let world = World::new().await;
    let consent = Policy { allow_delete: true, ..world.policy.clone() };
    let mut seen = 0;
    for (number, path) in leaves(kind).into_iter().enumerate() {
        let last = path[path.len() - 1];
        let Some(first) = sample(last, false) else { continue };
        let at = pointer(&path);
        let mut start = base(kind, number);
        start.extend(beside(kind, &path));
        let made = desired(kind, vec![with(&start, &path, &first)]);
        if last.until.is_some() {
            // It can be written once the object is ready, and another one ends it.
            world.converge(&desired(kind, vec![start.clone()]), &consent).await;
            world.verify_domains().await;
            let planned = world.converge(&made, &consent).await.plan;
            assert_eq!(planned.changes[0].fields[0].path, at);
            continue;
        }
        world.converge(&made, &consent).await;
        let Some(second) = sample(last, true) else { continue };
        let changed = desired(kind, vec![with(&start, &path, &second)]);
        let planned = world.plan_with(&changed, &consent).await.plan;
        let mine: Vec<_> = planned.changes.iter().filter(|change| change.action != Action::Delete).collect();
        seen += 1;
        if last.secret {
            let said = planned.changes.iter().flat_map(|change| &change.fields).any(|edit| edit.sensitive);
            assert!(said || planned.summary.not_comparable > 0, "{name}{at}: {planned:#?}");
            continue;
        }
        assert_eq!(mine.len(), 1, "{name}{at}: {planned:#?}");
        let is_write_once = path.iter().any(|field| field.create_only);
        assert_eq!(mine[0].action == Action::Replace, is_write_once, "{name}{at}");
        assert_eq!(mine[0].fields.len(), 1, "{name}{at}: {:#?}", mine[0].fields);
        assert!(mine[0].fields[0].path.starts_with(&at), "{name}{at}: {:#?}", mine[0].fields);
        world.converge(&changed, &consent).await;
    }
    assert!(seen > 3, "{name} has fields that change: {seen}");
}

#[tokio::test]
async fn every_field_of_tenant_changes_alone() {
    every_field("tenant").await;
}

#[tokio::test]
async fn every_field_of_resource_servers_changes_alone() {
    every_field("resourceServers").await;
}

#[tokio::test]
async fn every_field_of_clients_changes_alone() {
    every_field("clients").await;
}

#[tokio::test]
async fn every_field_of_client_grants_changes_alone() {
    every_field("clientGrants").await;
}

#[tokio::test]
async fn every_field_of_custom_domains_changes_alone() {
    every_field("customDomains").await;
}

#[tokio::test]
async fn deletes_are_held_back_without_consent_and_done_with_it() {
    for kind in Registry::builtin().iter().filter(|kind| !kind.singleton) {
        let world = World::new().await;
        let consent = Policy { allow_delete: true, ..world.policy.clone() };
        world.converge(&desired(kind, vec![base(kind, 1)]), &world.policy).await;
        let mut without = targets();
        without.entry(Box::leak(kind.name.clone().into_boxed_str())).or_default();
        let without = definitions(&without);
        let held = world.plan(&without).await.plan;
        assert!(held.is_empty() && held.held.len() == 1, "{}: {held:#?}", kind.name);
        world.converge(&without, &world.policy).await;
        let done = world.converge(&without, &consent).await.plan;
        assert_eq!(done.summary.delete, 1, "{}", kind.name);
    }
}

#[tokio::test]
async fn all_fields_at_once_are_made_and_found_again() {
    for kind in Registry::builtin() {
        let world = World::new().await;
        let kinds = with_all_fields(kind);
        world.converge(&definitions(&kinds), &world.policy).await;
    }
}
