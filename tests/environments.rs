//! Many environments at once: `plan --all-environments` over fifty tenants with TLS, by the real binary.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use secrecy::ExposeSecret;
use serde_json::Value;
use tenantctl::sandbox::{self, Options, Sandbox};

const TENANTS: usize = 50;
/// Nobody listens there.
const DOWN: usize = 7;
/// Its secret is wrong.
const STRANGER: usize = 31;

/// Starts tenants that differ in nothing but their address, so that one key is made for all.
fn tenants(folder: &Path) -> Vec<Sandbox> {
    let state = |at: usize| folder.join(format!("sandbox{at}.json"));
    let start =
        |at: usize| sandbox::start(Options { tls: true, state: Some(state(at)), ..Options::default() }).unwrap();
    start(0).stop().unwrap();
    for at in 1..TENANTS {
        fs::copy(state(0), state(at)).unwrap();
    }
    (0..TENANTS).map(start).collect()
}

fn project(folder: &Path, tenants: &[Sandbox]) {
    let mut text = "version: 1\ndefinitions: tenant.yaml\nenvironments:\n".to_owned();
    for (at, tenant) in tenants.iter().enumerate() {
        let host = &tenant.domain;
        let _ = writeln!(text, "  e{at}:\n    tenant: {host}\n    keywords: {{ NAME: Worker {at} }}");
        let _ = writeln!(text, "    credentials: {{ client_id_env: ID_{at}, client_secret_env: SECRET_{at} }}");
    }
    fs::write(folder.join("tenantctl.yaml"), text).unwrap();
    fs::write(folder.join("tenant.yaml"), "clients:\n  - { name: \"##NAME##\", app_type: non_interactive }\n").unwrap();
    let roots: String = tenants.iter().filter_map(|tenant| tenant.ca.clone()).collect();
    fs::write(folder.join("roots.pem"), roots).unwrap();
}

/// Runs the command with the credentials of all tenants in its environment.
fn plan(folder: &Path, credentials: &[(String, String)], options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenantctl"));
    command.env_clear().current_dir(folder).args(["plan", "--all-environments", "--ca-bundle", "roots.pem"]);
    for (at, (id, secret)) in credentials.iter().enumerate() {
        command.env(format!("ID_{at}"), id).env(format!("SECRET_{at}"), secret);
    }
    command.args(options).output().unwrap()
}

#[test]
fn fifty_tenants_are_planned_at_once_and_two_that_fail_hide_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut tenants = tenants(folder.path());
    project(folder.path(), &tenants);
    let domains: Vec<String> = tenants.iter().map(|tenant| tenant.domain.clone()).collect();
    let login = |tenant: &Sandbox| (tenant.client_id.clone(), tenant.client_secret.expose_secret().to_owned());
    let mut credentials: Vec<(String, String)> = tenants.iter().map(login).collect();
    "not-the-secret-of-it".clone_into(&mut credentials[STRANGER].1);
    tenants.remove(DOWN).stop().unwrap();

    let output = plan(folder.path(), &credentials, &["--format", "json", "-v"]);
    assert_eq!(output.status.code(), Some(1));
    let reported: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(reported.len(), TENANTS);
    for (at, part) in reported.iter().enumerate() {
        assert_eq!(part["environment"], format!("e{at}"));
        assert_eq!(part["tenant"], *domains[at]);
        match at {
            DOWN => assert!(part["error"]["message"].as_str().unwrap().contains("can't connect"), "{part}"),
            STRANGER => assert!(part["error"]["message"].as_str().unwrap().contains("POST /oauth/token"), "{part}"),
            _ => assert_eq!(part["changes"][0]["name"], format!("Worker {at}"), "{part}"),
        }
    }
    let messages = String::from_utf8(output.stderr).unwrap();
    let owners: Vec<&str> = messages.lines().filter_map(|line| line.strip_suffix(':')).collect();
    assert_eq!(owners, (0..TENANTS).map(|at| format!("e{at}")).collect::<Vec<_>>());
    for at in [DOWN, STRANGER] {
        assert!(messages.contains(&format!("e{at}:\nerror: ")), "{messages}");
    }
    assert!(!messages.contains("not-the-secret-of-it"), "{messages}");

    assert_eq!(messages.lines().filter(|line| line.starts_with("sent ")).count(), TENANTS - 2, "{messages}");
}
