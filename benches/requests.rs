//! What plan, apply and export cost over a network, as ratios against the least that is possible.
//!
//! The sandbox lets every answer take 50 ms. The least number of requests and of round trips that
//! can't overlap is what the lists of the tenant need; the least time is that many times 50 ms. The
//! table is for people: what must hold is asserted in tests/requests.rs.

#[expect(dead_code, clippy::unwrap_used, reason = "the tests use the rest of it, and a bench may stop where it stands")]
#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::large::large;
use support::random::Kinds;
use support::{World, definitions};
use tenantctl::kinds::Registry;
use tenantctl::sandbox::{self, Options, Sandbox};

const LATENCY: Duration = Duration::from_millis(50);
const RUNS: usize = 5;
/// The pages of the lists: 2 of applications, 1 of APIs, 3 of grants.
const PAGES: usize = 6;

/// The least that a job needs.
struct Floor {
    requests: usize,
    rounds: usize,
}

fn main() {
    // `cargo test --benches` runs every bench with this.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(table());
}

fn start(folder: &Path, latency: Duration) -> Sandbox {
    let options = Options {
        state: Some(folder.join("sandbox.json")),
        domain: Some("sandbox.localhost".to_owned()),
        latency,
        ..Options::default()
    };
    sandbox::start(options).expect("a sandbox starts")
}

async fn table() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    // With tenantctl's own application and its grant, and the Management API: 200, 50 and 300.
    let mut kinds = large(199, 49, 299);
    let seeding = World::of(start(folder.path(), Duration::ZERO)).await;
    seeding.converge(&definitions(&kinds), &seeding.policy).await;
    drop(seeding);

    row(&["job", "requests", "of least", "round trips", "of least", "ms", "of least"].map(str::to_owned));
    row(&["---"; 7].map(str::to_owned));
    let mut seen = Vec::new();
    for run in 0..RUNS {
        seen.push(jobs(folder.path(), &mut kinds, run).await);
    }
    let names = ["plan, nothing changed", "apply, one scope changed", "export"];
    let floors = [
        Floor { requests: 1 + PAGES, rounds: 3 },
        Floor { requests: 1 + PAGES + 2, rounds: 5 },
        Floor { requests: 1 + PAGES + beside_pages(), rounds: 3 },
    ];
    for (at, (name, floor)) in names.iter().zip(floors).enumerate() {
        let mut runs: Vec<&Job> = seen.iter().map(|jobs| &jobs[at]).collect();
        runs.sort_by_key(|job| job.time);
        told(name, runs[RUNS / 2], &floor);
    }
}

/// What an export of a tenant with nothing else reads beside the pages: one request for each other list,
/// fixed name and singleton, and one for the applications of the one database that every tenant has.
fn beside_pages() -> usize {
    let registry = Registry::builtin();
    let lists: BTreeSet<&str> =
        registry.iter().filter_map(|kind| kind.list.as_ref()).map(|list| list.path.as_str()).collect();
    let names: usize = registry.iter().filter_map(|kind| kind.keys.as_ref()).map(|keys| keys.values.len()).sum();
    let singletons = registry.iter().filter(|kind| kind.singleton).count();
    lists.len() - 3 + names + singletons + 1
}

/// What a job took.
struct Job {
    requests: usize,
    rounds: usize,
    time: Duration,
}

/// Does each job once, signing in anew each time as the command does.
async fn jobs(folder: &Path, kinds: &mut Kinds, run: usize) -> [Job; 3] {
    let sandbox = start(folder, LATENCY);
    let unchanged = definitions(kinds);
    let (plan, sandbox) = measured(sandbox, async |world| {
        assert!(world.plan(&unchanged).await.plan.is_empty());
    })
    .await;
    kinds.get_mut("resourceServers").expect("there are APIs")[run]["scopes"][0]["description"] = Value::from("changed");
    let changed = definitions(kinds);
    let (apply, sandbox) = measured(sandbox, async |world| {
        let planned = world.plan(&changed).await;
        world.apply_and_read_back(&changed, &planned).await;
    })
    .await;
    let (export, sandbox) = measured(sandbox, async |world| {
        assert_eq!(world.export(false).await.len(), 1);
    })
    .await;
    drop(sandbox);
    [plan, apply, export]
}

async fn measured(sandbox: Sandbox, job: impl AsyncFn(&World)) -> (Job, Sandbox) {
    let started = Instant::now();
    let world = World::of(sandbox).await;
    job(&world).await;
    let time = started.elapsed();
    let stats = world.client.stats();
    (Job { requests: stats.requests, rounds: stats.rounds, time }, world.sandbox)
}

fn told(name: &str, job: &Job, floor: &Floor) {
    let least = LATENCY * u32::try_from(floor.rounds).expect("few");
    let of = |found: f64, least: f64| format!("{:.2}", found / least);
    let count = |count: usize| f64::from(u32::try_from(count).expect("few"));
    row(&[
        name.to_owned(),
        job.requests.to_string(),
        of(count(job.requests), count(floor.requests)),
        job.rounds.to_string(),
        of(count(job.rounds), count(floor.rounds)),
        job.time.as_millis().to_string(),
        of(job.time.as_secs_f64(), least.as_secs_f64()),
    ]);
}

#[expect(clippy::print_stdout, reason = "the table is what this is for")]
fn row(cells: &[String; 7]) {
    println!("| {} |", cells.join(" | "));
}
