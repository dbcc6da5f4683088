//! Nothing is lost, whatever fails: every fault at every request of an apply, with reads that show writes at once and
//! with reads that lag, and a kill at every request. The sandbox and the command are processes of their own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tenantctl::apply::journal::Journals;

use crate::support::served::{Ran, Served};

const BEFORE: &str = "\
clients:
  - { name: Kept, app_type: non_interactive, description: one }
  - { name: Gone, app_type: non_interactive }
";

/// Two APIs, three applications, three grants, a domain, an update, a delete.
const AFTER: &str = "\
resourceServers:
  - { identifier: 'https://orders.example/', name: Orders, scopes: [{ value: 'read:orders' }] }
  - { identifier: 'https://bills.example/', name: Bills, scopes: [{ value: 'read:bills' }] }
clients:
  - { name: Kept, app_type: non_interactive, description: two }
  - { name: A, app_type: non_interactive, grant_types: [client_credentials] }
  - { name: B, app_type: non_interactive, grant_types: [client_credentials] }
  - { name: C, app_type: non_interactive, grant_types: [client_credentials] }
clientGrants:
  - { client_id: A, audience: 'https://orders.example/', scope: ['read:orders'] }
  - { client_id: B, audience: 'https://bills.example/', scope: ['read:bills'] }
  - { client_id: C, audience: 'https://orders.example/', scope: ['read:orders'] }
customDomains:
  - { domain: login.example.com, type: auth0_managed_certs }
";

const MODES: [&str; 10] =
    ["429", "500", "503", "html", "html=200", "truncate", "reset-before", "reset-after", "slow=300", "refuse"];

/// Cases wait more than they work.
const WORKERS: usize = 16;

const APPLY: [&str; 7] = ["apply", "--yes", "--allow-delete", "--format", "json", "--read-lag", "3"];

/// The objects of a tenant by address, with the texts that are compared.
type Seen = BTreeMap<String, Vec<String>>;

fn seen(served: &Served) -> Seen {
    let objects = served.objects();
    let of = |kind: &str| objects.get(kind).into_iter().flatten().map(|row| &row["object"]).collect::<Vec<_>>();
    let text = |object: &Value, name: &str| object[name].as_str().unwrap_or_default().to_owned();
    let ids: BTreeMap<String, String> =
        of("clients").iter().map(|client| (text(client, "client_id"), text(client, "name"))).collect();
    let mut seen = Seen::new();
    for client in of("clients") {
        seen.entry(format!("clients/{}", text(client, "name"))).or_default().push(text(client, "description"));
    }
    for api in of("resourceServers").iter().filter(|api| !text(api, "identifier").ends_with("/api/v2/")) {
        seen.entry(format!("resourceServers/{}", text(api, "identifier"))).or_default().push(text(api, "name"));
    }
    for grant in of("clientGrants").iter().filter(|grant| !text(grant, "audience").ends_with("/api/v2/")) {
        let client = ids.get(&text(grant, "client_id")).cloned().unwrap_or_default();
        seen.entry(format!("clientGrants/{client} -> {}", text(grant, "audience")))
            .or_default()
            .push(grant["scope"].to_string());
    }
    for domain in of("customDomains") {
        seen.entry(format!("customDomains/{}", text(domain, "domain"))).or_default().push(text(domain, "type"));
    }
    seen
}

/// A tenant as it is before the apply, and what there is to see after it.
struct Stage {
    folder: tempfile::TempDir,
    before: Seen,
    after: Seen,
    /// So many requests does an apply send when nothing fails.
    requests: usize,
}

impl Stage {
    fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let served = Served::start(&folder.path().join("before.json"), &[]);
        served.project(&folder.path().join("first"), BEFORE);
        assert_eq!(served.run(&folder.path().join("first"), &APPLY).code, Some(0));
        let before = seen(&served);
        drop(served);
        let mut stage = Self { folder, before, after: Seen::new(), requests: 0 };
        let (served, project) = stage.serve("clean", &[]);
        let ran = served.run(&project, &[&APPLY[..], &["-v"]].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let sent = ran.stderr.lines().find_map(|line| line.strip_prefix("sent ")?.split_once(' ')?.0.parse().ok());
        stage.requests = sent.unwrap();
        stage.after = seen(&served);
        assert!(stage.after.values().all(|found| found.len() == 1), "{:?}", stage.after);
        stage
    }

    /// Serves the tenant as it is before, in a folder of its own, with a project that wants it to be as after.
    fn serve(&self, name: &str, arguments: &[&str]) -> (Served, PathBuf) {
        let folder = self.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let state = folder.join("state.json");
        std::fs::copy(self.folder.path().join("before.json"), &state).unwrap();
        let served = Served::start(&state, arguments);
        let project = folder.join("project");
        served.project(&project, AFTER);
        (served, project)
    }

    /// Says what is wrong with what a run tells of a change (address, status, whether calls of it were answered).
    fn lie(&self, told: &(String, String, bool), now: &Seen) -> Option<String> {
        let (address, status, is_begun) = told;
        let is = |stage: &Seen| now.get(address) == stage.get(address);
        let is_true = match status.as_str() {
            "done" => is(&self.after),
            "failed" if *is_begun => true,
            "failed" | "not_attempted" => is(&self.before),
            "unknown" => is(&self.before) || is(&self.after),
            _ => false,
        };
        (!is_true).then(|| format!("{address} is told to be {status}, and is {:?}", now.get(address)))
    }

    /// Applies once more if that is needed; then all must be as it should be, and the next plan must be empty.
    fn converges(&self, served: &Served, project: &Path, first: Option<i32>) -> Result<(), String> {
        if first != Some(0) {
            let again = served.run(project, &APPLY);
            if again.code != Some(0) {
                return Err(format!("the second apply: {again:?}"));
            }
        }
        proved(served, |now| {
            if *now == self.after { Ok(()) } else { Err(format!("the tenant is not as it should be: {now:?}")) }
        })?;
        let plan = served.run(project, &["plan", "--detailed-exitcode", "--read-lag", "3"]);
        if plan.code != Some(0) {
            return Err(format!("the plan after: {plan:?}"));
        }
        Ok(())
    }

    /// Applies with a fault.
    fn survives(&self, name: &str, faults: &[String]) -> Result<(), String> {
        let arguments: Vec<&str> = faults.iter().flat_map(|fault| ["--fault", fault]).collect();
        let (served, project) = self.serve(name, &arguments);
        let ran = served.run(&project, &APPLY);
        let told = told(&ran);
        proved(&served, |now| match told.iter().find_map(|told| self.lie(told, now)) {
            Some(lie) => Err(format!("{lie}: {ran:?}")),
            None if matches!(ran.code, Some(0 | 3)) || ran.code == Some(1) && *now == self.before => Ok(()),
            None => Err(format!("{ran:?}")),
        })?;
        self.converges(&served, &project, ran.code)
    }

    /// Applies, and is killed when a request meets a fault that holds its answer up.
    fn survives_a_kill(&self, name: &str, lag: &str, fault: &str, number: usize) -> Result<(), String> {
        let (served, project) = self.serve(name, &["--fault", lag, "--fault", &format!("{fault}@{number}")]);
        let mut command = served.command(&project, &APPLY);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let has_struck = served.wait_for(&format!("fault {fault} at request {number}:"));
        // What was handled is told after the fault.
        let is_there = has_struck && (fault == "hang" || served.wait_for(&format!("request {number}:")));
        process.kill().unwrap();
        process.wait().unwrap();
        if !is_there {
            return Err("the request did not come".to_owned());
        }
        let account = Journals::of(&project, "it").unwrap().last().unwrap();
        let told = account.iter().flat_map(|account| &account.entries).map(|entry| {
            let status = serde_json::to_value(entry.status).unwrap().as_str().unwrap().to_owned();
            (entry.address().to_string(), status, !entry.calls.is_empty())
        });
        let told: Vec<_> = told.collect();
        proved(&served, |now| match told.iter().find_map(|told| self.lie(told, now)) {
            Some(lie) => Err(lie),
            None if account.is_none() && *now != self.before => Err(format!("written without a journal: {now:?}")),
            None => Ok(()),
        })?;
        self.converges(&served, &project, None)
    }
}

/// Proves something of a tenant. Its state is written some time after a change, so a failure counts when it stays.
fn proved(served: &Served, proof: impl Fn(&Seen) -> Result<(), String>) -> Result<(), String> {
    let mut proved = proof(&seen(served));
    for _ in 0..8 {
        if proved.is_ok() {
            break;
        }
        proved = proof(&seen(served));
    }
    proved
}

/// Reads the ledger: address, status, and whether calls of it were answered.
fn told(ran: &Ran) -> Vec<(String, String, bool)> {
    let Ok(ledger) = serde_json::from_str::<Value>(&ran.stdout) else { return Vec::new() };
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
    let entries = ledger["changes"].as_array().unwrap().iter();
    entries
        .map(|entry| {
            let address = format!("{}/{}", text(entry, "kind"), text(entry, "name"));
            (address, text(entry, "status"), entry.get("calls").is_some())
        })
        .collect()
}

/// Tries all cases, several at once, and gives those that failed.
fn failures<T: Sync>(cases: &[T], tried: impl Fn(&T) -> Result<(), String> + Sync) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let work = || {
        let case = || cases.get(next.fetch_add(1, Ordering::Relaxed));
        std::iter::from_fn(case).filter_map(|case| tried(case).err()).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

fn every_fault_at_every_request(lag: Option<&str>) {
    let stage = Stage::set();
    assert!(stage.requests >= 16, "{} requests", stage.requests);
    let cases: Vec<(&str, usize)> =
        MODES.iter().flat_map(|mode| (1..=stage.requests).map(move |number| (*mode, number))).collect();
    let failed = failures(&cases, |(mode, number)| {
        let name = format!("{mode}-{number}");
        let faults: Vec<String> = lag.map(str::to_owned).into_iter().chain([format!("{mode}@{number}")]).collect();
        stage.survives(&name, &faults).map_err(|why| format!("{mode} at request {number}: {why}"))
    });
    assert!(failed.is_empty(), "{} of {} cases:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[test]
fn every_fault_at_every_request_of_an_apply_is_survived() {
    every_fault_at_every_request(None);
}

#[test]
fn every_fault_at_every_request_is_survived_where_reads_lag_two_seconds() {
    every_fault_at_every_request(Some("lag=2000"));
}

#[test]
fn a_kill_at_every_request_of_an_apply_is_survived_with_reads_that_lag_too() {
    let stage = Stage::set();
    let mut cases = Vec::new();
    for lag in ["lag=0", "lag=2000"] {
        for fault in ["hang", "slow=60000"] {
            cases.extend((1..=stage.requests).map(|number| (lag, fault, number)));
        }
    }
    let failed = failures(&cases, |(lag, fault, number)| {
        let name = format!("kill-{lag}-{fault}-{number}");
        let survived = stage.survives_a_kill(&name, lag, fault, *number);
        survived.map_err(|why| format!("{lag}, {fault} at request {number}: {why}"))
    });
    assert!(failed.is_empty(), "{} of {} cases:\n{}", failed.len(), cases.len(), failed.join("\n"));
}

#[test]
fn lists_in_any_order_make_no_difference() {
    let stage = Stage::set();
    let seeds: Vec<usize> = (0..8).collect();
    let failed = failures(&seeds, |seed| {
        let (served, project) =
            stage.serve(&format!("shuffle-{seed}"), &["--fault", "shuffle", "--seed", &seed.to_string()]);
        let ran = served.run(&project, &APPLY);
        if ran.code != Some(0) {
            return Err(format!("{ran:?}"));
        }
        stage.converges(&served, &project, ran.code)
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// Sends a signal that means Ctrl-C.
#[cfg(unix)]
fn interrupt(process: &std::process::Child) {
    let sent = std::process::Command::new("kill").args(["-INT", &process.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

#[cfg(unix)]
#[test]
fn an_interrupt_lets_what_is_in_flight_end_and_a_second_one_ends_it_at_once() {
    let stage = Stage::set();
    // The create that is held up, and how often the user interrupts.
    for (name, fault, times) in [("once", "slow=2000", 1), ("twice", "hang", 2)] {
        let (served, project) = stage.serve(name, &["--fault", &format!("{fault}@POST /resource-servers#1")]);
        let mut command = served.command(&project, &APPLY);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        assert!(served.wait_for(&format!("fault {fault} at")), "{fault}");
        interrupt(&process);
        if times == 2 {
            let mut stderr = BufReader::new(process.stderr.take().unwrap()).lines();
            assert!(stderr.any(|line| line.unwrap().starts_with("interrupted:")), "the first one is told");
            interrupt(&process);
        }
        let ran = Ran::of(&process.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(130), "{ran:?}");
        let told = told(&ran);
        if times == 1 {
            let is = |kind: &str, status: &str| told.iter().any(|told| told.0.starts_with(kind) && told.1 == status);
            assert!(is("resourceServers/", "done"), "what was in flight has ended: {told:?}");
            assert!(is("clientGrants/", "not_attempted"), "{told:?}");
        }
        let lie = |now: &Seen| told.iter().find_map(|told| stage.lie(told, now)).map_or(Ok(()), Err);
        proved(&served, lie).unwrap();
        stage.converges(&served, &project, None).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_does_not_wait_for_the_rate_limit() {
    let stage = Stage::set();
    let (served, project) = stage.serve("limited", &["--fault", "429=60@POST /client-grants"]);
    let mut command = served.command(&project, &APPLY);
    let process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert!(served.wait_for("fault 429=60 at"));
    interrupt(&process);
    let ran = Ran::of(&process.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{ran:?}");
    let grants = told(&ran).into_iter().filter(|told| told.0.starts_with("clientGrants/"));
    assert!(grants.clone().count() == 3 && grants.clone().all(|grant| grant.1 != "done"), "{ran:?}");
    proved(&served, |now| told(&ran).iter().find_map(|told| stage.lie(told, now)).map_or(Ok(()), Err)).unwrap();
}

#[test]
fn lists_beyond_a_page_and_beyond_the_window_of_page_numbers_are_complete() {
    let stage = Stage::set();
    let clean = std::fs::read_to_string(stage.folder.path().join("clean").join("state.json")).unwrap();
    let mut tenant: Value = serde_json::from_str(&clean).unwrap();
    // One is read by page numbers alone, the other by marks where those end.
    let copies = [("clients", "client_id", "name", 250), ("clientGrants", "id", "audience", 1_250)];
    for (kind, id, name, count) in copies {
        let rows = tenant["rows"][kind].as_array_mut().unwrap();
        let row = rows.last().unwrap().clone();
        rows.extend((0..count).map(|n| {
            let mut row = row.clone();
            row["number"] = Value::from(100_000 + n);
            row["object"][id] = Value::from(format!("copy{n:028}"));
            row["object"][name] = Value::from(format!("https://copy{n}.example/"));
            row
        }));
    }
    let folder = stage.folder.path().join("many");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("state.json"), tenant.to_string()).unwrap();
    let served = Served::start(&folder.join("state.json"), &[]);
    let project = folder.join("project");
    served.project(&project, AFTER);
    let ran = served.run(&project, &["export", "--only", "clients", "--only", "clientGrants", "--out", "out"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let text = std::fs::read_to_string(project.join("out/tenant.yaml")).unwrap();
    for (_, _, name, count) in copies {
        let found = text.lines().filter(|line| line.contains(&format!("{name}: https://copy"))).count();
        assert_eq!(found, count, "{name}");
    }
    let plan = served.run(&project, &["plan", "--format", "json"]);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    assert_eq!(plan["summary"]["held"], 250 + 1_250, "each is there, and none is deleted");
}
