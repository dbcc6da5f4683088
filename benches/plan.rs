//! How long the pure rooms take on large tenants: planning, and reading a large file.

#[expect(dead_code, clippy::unwrap_used, reason = "the tests use the rest of it, and a bench may stop where it stands")]
#[path = "../tests/support/mod.rs"]
mod support;

use divan::Bencher;
use serde_json::Value;
use support::answered::live;
use support::large::large;
use support::project::{load, project};
use support::random::Kinds;
use tenantctl::export::files::{Options, files};
use tenantctl::kinds::Registry;
use tenantctl::plan::{Policy, plan, scope};

/// Applications, APIs, grants.
const SIZES: [(usize, usize, usize); 2] = [(200, 50, 300), (2000, 500, 3000)];

fn main() {
    divan::main();
}

/// Changes one text in every hundredth object.
fn with_changes(mut kinds: Kinds) -> Kinds {
    for (kind, field) in [("clients", "description"), ("resourceServers", "name")] {
        for object in kinds.get_mut(kind).into_iter().flatten().step_by(100) {
            object.insert(field.to_owned(), Value::from("changed"));
        }
    }
    for object in kinds.get_mut("clientGrants").into_iter().flatten().step_by(100) {
        object.insert("scope".to_owned(), Value::from(vec!["read:orders"]));
    }
    kinds
}

fn planning(bencher: Bencher, desired: &Kinds, tenant: &Kinds) {
    let (desired, live, policy) = (support::definitions(desired), live(tenant), Policy::default());
    bencher.bench(|| plan(Registry::builtin(), divan::black_box(&desired), divan::black_box(&live), &policy).is_ok());
}

#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn plan_of_an_equal_tenant(bencher: Bencher, (clients, apis, grants): (usize, usize, usize)) {
    let kinds = large(clients, apis, grants);
    planning(bencher, &kinds, &kinds);
}

#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn plan_of_one_change_in_a_hundred(bencher: Bencher, (clients, apis, grants): (usize, usize, usize)) {
    let kinds = large(clients, apis, grants);
    planning(bencher, &with_changes(kinds.clone()), &kinds);
}

/// A file of 100,000 lines, as an export writes it.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn load_of_a_hundred_thousand_lines(bencher: Bencher) {
    let live = live(&large(3900, 975, 5850));
    let tenant = scope::chosen(Registry::builtin(), live, &Policy::default());
    let Ok(exported) = files(Registry::builtin(), &tenant, &Options::default()) else { return };
    let lines = exported.files[0].text.lines().count();
    assert!(lines > 99_000, "{lines} lines");
    let folder = project(&exported);
    bencher.bench(|| load(folder.path()));
}
