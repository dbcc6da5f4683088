//! How many requests a job takes: never more than the lists need (one per page, and the pages of a
//! list side by side once its first has told how many there are).

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tenantctl::api::Stats;
use tenantctl::sandbox::{self, Options};

use crate::support::large::large;
use crate::support::random::Kinds;
use crate::support::{World, definitions};

/// With the application that tenantctl signs in with and its grant: 200 applications, 300 grants;
/// with the Management API: 50 APIs.
fn tenant() -> Kinds {
    large(199, 49, 299)
}

/// The lists of such a tenant: two pages of applications, one of APIs, three of grants.
const READS: usize = 2 + 1 + 3;

fn sent(after: &Stats, before: &Stats) -> (usize, usize, usize) {
    (after.requests - before.requests, after.token_requests - before.token_requests, after.rounds - before.rounds)
}

/// The sandbox of this project, as the binary starts it in its own process.
fn options(folder: &Path) -> Options {
    Options {
        state: Some(folder.join(".tenantctl/sandbox.json")),
        domain: Some("sandbox.localhost".to_owned()),
        ..Options::default()
    }
}

fn write_project(folder: &Path, kinds: &Kinds) {
    let settings = "version: 1\ndefinitions: tenant.yaml\nenvironments:\n  sandbox: { tenant: sandbox }\n";
    std::fs::write(folder.join("tenantctl.yaml"), settings).unwrap();
    std::fs::write(folder.join("tenant.yaml"), serde_json::to_string_pretty(&json!(kinds)).unwrap()).unwrap();
}

/// Runs the binary and gives the line that says what was sent.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tenantctl"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    let line = stderr.lines().find(|line| line.contains("requests")).unwrap_or_else(|| panic!("no counts: {stderr}"));
    line.to_owned()
}

#[tokio::test]
async fn a_large_tenant_takes_as_many_requests_as_its_lists_have_pages() {
    let folder = tempfile::tempdir().unwrap();
    let mut kinds = tenant();
    let seeding = World::of(sandbox::start(options(folder.path())).unwrap()).await;
    seeding.converge(&definitions(&kinds), &seeding.policy).await;
    drop(seeding);

    let world = World::of(sandbox::start(options(folder.path())).unwrap()).await;
    let signed_in = world.client.stats();
    assert_eq!((signed_in.requests, signed_in.token_requests, signed_in.rounds), (1, 1, 1));

    let plan = world.plan(&definitions(&kinds)).await.plan;
    assert!(plan.is_empty(), "{:#?}", plan.changes);
    let planned = world.client.stats();
    assert_eq!(sent(&planned, &signed_in), (READS, 0, 2), "page 0 of each list, then the other pages");

    kinds.get_mut("resourceServers").unwrap()[7]["scopes"][0]["description"] = Value::from("changed");
    let desired = definitions(&kinds);
    let changed = world.plan(&desired).await;
    let drawn = world.client.stats();
    world.apply_and_read_back(&desired, &changed).await;
    let applied = world.client.stats();
    assert_eq!(sent(&applied, &drawn), (2, 0, 2), "one PATCH, one read of what it wrote");
    drop(world);

    write_project(folder.path(), &kinds);
    let reads = READS + 1;
    assert_eq!(
        said(folder.path(), &["plan", "-v"]),
        format!("sent {reads} requests (1 token request among them) in 3 round trips that could not overlap")
    );
    kinds.get_mut("resourceServers").unwrap()[8]["scopes"][0]["description"] = Value::from("changed");
    write_project(folder.path(), &kinds);
    assert_eq!(
        said(folder.path(), &["apply", "--yes", "-v"]),
        format!("sent {} requests (1 token request among them) in 5 round trips that could not overlap", reads + 2)
    );
}
