//! What is exported says the same as the tenant: planned against it, nothing changes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use tenantctl::config;
use tenantctl::export::files::{Exported, Layout, Options};
use tenantctl::export::merged::{Takes, Wish, merged};
use tenantctl::kinds::Registry;
use tenantctl::plan::scope;
use tenantctl::secret::Secrets;
use tenantctl::tenant::needs::Needs;
use tenantctl::tenant::{Address, Desired, Object};

use crate::support::project::{load, project, project_with_secrets, settings, write};
use crate::support::random::{Kinds, TEXTS};
use crate::support::samples::with_all_fields;
use crate::support::{World, definitions};

/// Exports the tenant, reads the files, and expects that they ask for nothing; without ids, in either
/// layout.
pub(crate) async fn asks_for_nothing(world: &World, with_ids: bool) -> Desired {
    let desired = laid_out_asks_for_nothing(world, with_ids, Layout::Yaml).await;
    if with_ids {
        return desired;
    }
    let in_folders = laid_out_asks_for_nothing(world, with_ids, Layout::Directory).await;
    let values = |desired: &Desired| -> BTreeMap<String, Vec<Map<String, Value>>> {
        let values = |objects: &Vec<Object>| {
            let mut objects: Vec<_> = objects.iter().map(|object| (object.address.clone(), &object.value)).collect();
            objects.sort_by(|(a, left), (b, right)| a.cmp(b).then_with(|| shown(left).cmp(&shown(right))));
            objects.into_iter().map(|(_, value)| without_null(value)).collect()
        };
        desired.tenant.kinds.iter().map(|(kind, objects)| (kind.clone(), values(objects))).collect()
    };
    assert_eq!(values(&in_folders), values(&desired), "both layouts say the same");
    desired
}

fn shown(value: &Map<String, Value>) -> String {
    Value::Object(value.clone()).to_string()
}

/// A text without a value is null where files of texts are sought.
fn without_null(value: &Map<String, Value>) -> Map<String, Value> {
    value.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect()
}

async fn laid_out_asks_for_nothing(world: &World, with_ids: bool, layout: Layout) -> Desired {
    let exported = world.export(with_ids, layout).await;
    assert_eq!(exported, world.export(with_ids, layout).await, "the same tenant gives the same bytes");
    let folder = project(&exported);
    let desired = load(folder.path());
    let plan = world.plan(&desired).await.plan;
    assert!(plan.is_empty() && plan.held.is_empty(), "{:#?} {:#?}\n{:#?}", plan.changes, plan.held, exported.files);
    desired
}

/// Exports into files of another state of the tenant, and expects that they ask for nothing then, and that a second
/// time changes no byte.
pub(crate) async fn brought_up(world: &World, before: &Exported) {
    let folder = project(before);
    let registry = Registry::builtin();
    let all: Vec<_> = registry.iter().collect();
    for (time, all_fields) in [false, false, true, true].into_iter().enumerate() {
        let live = world.client.fetch(&all, &Needs::everything()).await.unwrap();
        let there = scope::addresses(registry, &live);
        let tenant = scope::chosen(registry, live, &world.policy);
        let secrets = Secrets::default();
        let settings = settings(folder.path(), &secrets);
        let written = config::written(&settings, registry, &secrets).unwrap();
        let layout = if before.files[0].path.ends_with("tenant.yaml") { Layout::Yaml } else { Layout::Directory };
        let options = Options { own_client: world.policy.own_client.clone(), layout, ..Options::default() };
        let wish = Wish {
            takes: Takes { all_fields, ..Takes::default() },
            is_gone: &|address| !there.contains(address),
            is_asked_for: &|_| true,
        };
        let merged = merged(registry, &tenant, &written, &options, wish).unwrap();
        let paths: Vec<_> = merged.files.iter().map(|file| &file.path).collect();
        assert!(time % 2 == 0 || (paths.is_empty() && merged.removed.is_empty()), "twice: {:#?}", merged.files);
        for file in &merged.files {
            write(folder.path(), file.path.to_str().unwrap(), &file.text);
        }
        for path in &merged.removed {
            std::fs::remove_file(folder.path().join(path)).unwrap();
        }
        let plan = world.plan(&load(folder.path())).await.plan;
        let texts: Vec<_> = merged.files.iter().map(|file| format!("{}\n{}", file.path.display(), file.text)).collect();
        assert!(plan.is_empty() && plan.held.is_empty(), "{:#?} {:#?}\n{}", plan.changes, plan.held, texts.join("\n"));
    }
}

#[tokio::test]
async fn an_export_with_every_field_of_every_kind_asks_for_nothing() {
    for kind in Registry::builtin() {
        let world = World::new().await;
        let kinds = with_all_fields(kind);
        world.converge(&definitions(&kinds), &world.policy).await;
        let names = asks_for_nothing(&world, false).await;
        let pinned = asks_for_nothing(&world, true).await;
        let found =
            |address: &Address| names.tenant.objects(&kind.name).iter().any(|object| object.address == *address);
        for made in &kinds[kind.name.as_str()] {
            assert!(found(&Address::of(kind, made)), "{}", Address::of(kind, made));
        }
        // A fixed name is a field like any other.
        let is_pinned = kind.id.as_ref().and_then(|id| kind.fields.get(id)).is_some_and(|id| id.read_only);
        assert!(pinned.tenant.objects(&kind.name).iter().all(|object| object.id.is_some() == is_pinned));
    }
}

/// Makes an empty tenant of what was exported, and gives its export.
async fn made_elsewhere(exported: &Exported, layout: Layout) -> Exported {
    let folder = project_with_secrets(exported);
    let world = World::new().await;
    let desired = load(folder.path());
    let planned = world.plan(&desired).await;
    assert!(planned.plan.held.is_empty(), "{:#?}", planned.plan.held);
    world.carry_out(&planned, &desired, &world.policy).await;
    world.export(false, layout).await
}

#[tokio::test]
async fn an_empty_tenant_made_of_an_export_has_the_same_export() {
    let mut differ = Vec::new();
    for kind in Registry::builtin() {
        let world = World::new().await;
        world.converge(&definitions(&with_all_fields(kind)), &world.policy).await;
        for layout in [Layout::Yaml, Layout::Directory] {
            let exported = world.export(false, layout).await;
            let again = made_elsewhere(&exported, layout).await;
            differ.extend(differences(&exported, &again).into_iter().map(|line| format!("{}: {line}", kind.name)));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// Lists what differs between two exports, byte by byte: files, and folders of no files.
fn differences(one: &Exported, other: &Exported) -> Vec<String> {
    let texts = |exported: &Exported| -> BTreeMap<PathBuf, String> {
        let folders = exported.folders.iter().map(|path| (path.clone(), String::new()));
        exported.files.iter().map(|file| (file.path.clone(), file.text.clone())).chain(folders).collect()
    };
    let (one, other) = (texts(one), texts(other));
    let paths: BTreeSet<&PathBuf> = one.keys().chain(other.keys()).collect();
    let differs = |path: &&PathBuf| one.get(*path) != other.get(*path);
    let shown = |path: &PathBuf| {
        let text = |texts: &BTreeMap<PathBuf, String>| texts.get(path).cloned().unwrap_or_else(|| "no file".to_owned());
        format!("{}\n{}", path.display(), changed(&text(&one), &text(&other)))
    };
    paths.into_iter().filter(differs).map(shown).collect()
}

/// Shows the lines that differ, and one around them.
fn changed(one: &str, other: &str) -> String {
    similar::TextDiff::from_lines(one, other).unified_diff().context_radius(1).to_string()
}

#[tokio::test]
async fn hostile_names_and_values_come_back_as_they_are() {
    let map = |value: Value| -> Map<String, Value> { value.as_object().unwrap().clone() };
    let name = |text: &str| format!("{text}|").replace(['<', '>'], "");
    let clients = TEXTS.iter().map(|text| {
        map(json!({
            "name": name(text),
            "description": text,
            "custom_login_page": format!("<p>{text}</p>\n"),
            "client_metadata": { *text: text },
            "callbacks": TEXTS,
        }))
    });
    let scopes: Vec<Value> = TEXTS.iter().map(|text| json!({ "value": text, "description": text })).collect();
    let apis = TEXTS.iter().map(|text| map(json!({ "identifier": text, "name": text, "scopes": scopes })));
    let grants = TEXTS.iter().map(|text| map(json!({ "client_id": name(text), "audience": text, "scope": TEXTS })));
    let kinds = Kinds::from([
        ("clients", clients.collect()),
        ("resourceServers", apis.collect()),
        ("clientGrants", grants.collect()),
    ]);
    let world = World::new().await;
    world.converge(&definitions(&kinds), &world.policy).await;
    let loaded = asks_for_nothing(&world, false).await;
    asks_for_nothing(&world, true).await;
    for object in definitions(&kinds).tenant.iter() {
        let found =
            loaded.tenant.find_by(&object.address, None).unwrap_or_else(|| panic!("{} is missing", object.address));
        for text in ["description", "custom_login_page", "client_metadata"] {
            assert_eq!(found.value.get(text), object.value.get(text), "{}", object.address);
        }
    }
}
