//! A sandbox in a process of its own, and the real command against it over TLS.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

/// The command, with nothing of our environment.
fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenantctl"));
    command.current_dir(folder).env_clear().env("HOME", folder).stdin(Stdio::null());
    command
}

/// A served tenant; it ends when this is dropped.
pub(crate) struct Served {
    process: Child,
    ready: Value,
    state: PathBuf,
    /// What it says of requests and faults.
    log: mpsc::Receiver<String>,
}

impl Served {
    /// Serves the tenant of a state file, which need not be there yet.
    pub(crate) fn start(state: &Path, arguments: &[&str]) -> Self {
        let mut process = command(state.parent().unwrap())
            .args(["sandbox", "serve", "--tls", "-vv", "--state"])
            .arg(state)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, log) = mpsc::channel();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Self { process, ready, state: state.to_owned(), log }
    }

    fn ready(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap()
    }

    /// Waits until a line of the log has a text; the log before it is gone.
    pub(crate) fn wait_for(&self, text: &str) -> bool {
        std::iter::from_fn(|| self.log.recv_timeout(Duration::from_secs(60)).ok()).any(|line| line.contains(text))
    }

    /// Writes a project whose one environment is this tenant, with these definitions.
    pub(crate) fn project(&self, folder: &Path, definitions: &str) {
        std::fs::create_dir_all(folder).unwrap();
        let settings = format!(
            "version: 1\ndefinitions: tenant.yaml\nenvironments:\n  it:\n    tenant: \"{}\"\n",
            self.ready("domain")
        );
        std::fs::write(folder.join("tenantctl.yaml"), settings).unwrap();
        std::fs::write(folder.join("tenant.yaml"), definitions).unwrap();
    }

    /// Gives the command in a project of this tenant.
    pub(crate) fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = command(folder);
        command.args(arguments).args(["--ca-bundle", self.ready("ca")]);
        command.env("AUTH0_CLIENT_ID", self.ready("client_id")).env("AUTH0_CLIENT_SECRET", self.ready("client_secret"));
        command
    }

    /// Runs the command in a project of this tenant.
    pub(crate) fn run(&self, folder: &Path, arguments: &[&str]) -> Ran {
        Ran::of(&self.command(folder, arguments).output().unwrap())
    }

    /// Gives the objects of a kind as they are now: from the state file, so that no fault hides them. It is
    /// written some time after a change, so it is read until it stays as it is.
    pub(crate) fn objects(&self) -> BTreeMap<String, Vec<Value>> {
        let read = || std::fs::read_to_string(&self.state).unwrap();
        let mut text = read();
        let mut seen = 0;
        while seen < 4 {
            std::thread::sleep(Duration::from_millis(60));
            let now = read();
            seen = if now == text { seen + 1 } else { 0 };
            text = now;
        }
        objects(&text)
    }
}

/// Reads the objects of a state file, by kind.
fn objects(state: &str) -> BTreeMap<String, Vec<Value>> {
    let state: Value = serde_json::from_str(state).unwrap();
    let rows = state["rows"].as_object().unwrap().iter();
    rows.map(|(kind, rows)| (kind.clone(), rows.as_array().unwrap().clone())).collect()
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}
