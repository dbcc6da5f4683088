//! The walls of the house: which room is pure, and who may know whom (see ARCHITECTURE.md).
//!
//! A single crate has no walls of its own, so this reads the sources.

use tenantctl::kinds::Registry;

use std::fs;
use std::path::{Path, PathBuf};

/// A room: where it lies, whether it is pure, and which rooms it may import.
const ROOMS: &[(&str, bool, &[&str])] = &[
    ("main.rs", false, &["cli"]),
    ("lib.rs", false, &[]),
    ("text.rs", true, &[]),
    ("secret.rs", true, &[]),
    ("error.rs", true, &["text"]),
    ("files", false, &["error"]),
    ("kinds", true, &["error", "text", "tenant", "secret"]),
    ("tenant", true, &["kinds", "error", "text"]),
    ("config/mod.rs", false, &["files", "kinds", "tenant", "error", "secret", "text", "config"]),
    (
        "config/settings",
        false,
        &["files", "kinds", "error", "secret", "plan", "tenant", "api::auth", "api::pace", "config", "text"],
    ),
    ("config/sources.rs", false, &["files", "kinds", "error", "config"]),
    ("config/project.rs", true, &["plan", "api::pace", "kinds", "tenant", "error", "text", "secret", "config"]),
    ("config", true, &["kinds", "tenant", "error", "text", "secret", "config"]),
    ("plan", true, &["plan", "tenant", "kinds", "error", "text", "secret"]),
    ("apply", false, &["plan", "api", "files", "kinds", "tenant", "error", "secret", "apply"]),
    ("api/page.rs", true, &["api"]),
    ("api/paging", true, &["kinds", "api", "text"]),
    ("api/budget", true, &["api"]),
    ("api/flow.rs", true, &["api"]),
    ("api/pace.rs", true, &["api"]),
    ("api/failure.rs", true, &["error", "secret", "api", "kinds"]),
    ("api", false, &["kinds", "tenant", "plan::call", "error", "secret", "api"]),
    ("export/mod.rs", false, &["export", "files", "error"]),
    ("export", true, &["kinds", "tenant", "config", "error", "text", "export"]),
    ("render", true, &["plan", "tenant", "text", "error", "secret", "kinds", "render"]),
    ("sandbox/http.rs", false, &["sandbox", "kinds", "error", "files"]),
    ("sandbox/mod.rs", false, &["sandbox", "kinds", "error", "files"]),
    ("sandbox/state.rs", false, &["sandbox", "kinds", "error", "files"]),
    ("sandbox/serve.rs", false, &["sandbox", "kinds"]),
    ("sandbox/line.rs", false, &["sandbox"]),
    ("sandbox/wire.rs", false, &["sandbox"]),
    ("sandbox/tls.rs", false, &["sandbox", "error"]),
    ("sandbox/oauth", false, &["sandbox", "kinds", "error"]),
    ("sandbox/keys.rs", false, &["sandbox", "error"]),
    ("sandbox/faults", true, &[]),
    ("sandbox/limit.rs", true, &[]),
    ("sandbox", true, &["kinds", "sandbox"]),
    ("ui", false, &["error", "render", "secret", "kinds", "text"]),
    (
        "cli",
        false,
        &[
            "api", "apply", "cli", "config", "error", "export", "files", "kinds", "plan", "render", "sandbox",
            "secret", "tenant", "text", "ui",
        ],
    ),
];

/// What a pure room does not say.
const IMPURE: &[&str] = &[
    "tokio::",
    "reqwest::",
    "std::fs",
    "std::env",
    "async fn",
    "SystemTime",
    "Instant::now",
    "println!",
    "eprintln!",
    "rand::",
];

fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            let text = fs::read_to_string(&path).unwrap();
            // Tests may do what they need.
            let cut = text
                .match_indices("#[cfg(test)]\n")
                .find(|(at, word)| text[at + word.len()..].lines().next().is_some_and(|line| line.ends_with('{')));
            let text = text[..cut.map_or(text.len(), |(at, _)| at)].to_owned();
            (name, text)
        })
        .filter(|(name, _)| !name.ends_with("tests.rs"))
        .collect()
}

fn room(name: &str) -> &'static (&'static str, bool, &'static [&'static str]) {
    let holds = |room: &str| {
        name.strip_prefix(room)
            .is_some_and(|rest| rest.is_empty() || room.contains('/') || rest.starts_with(['/', '.']))
    };
    ROOMS
        .iter()
        .find(|(room, ..)| holds(room))
        .unwrap_or_else(|| panic!("src/{name} stands in no room: add it to ROOMS and to ARCHITECTURE.md"))
}

/// Lists what a source names of its own crate, as `room` and `room::module`.
fn imports(text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found: Vec<String> = code
        .match_indices("crate::")
        .map(|(at, word)| {
            code[at + word.len()..].chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect()
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn pure_rooms_do_nothing_but_compute() {
    let mut broken = Vec::new();
    for (name, text) in sources() {
        if room(&name).1 {
            let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            broken.extend(
                IMPURE
                    .iter()
                    .filter(|word| code.iter().any(|line| line.contains(*word)))
                    .map(|word| format!("{name}: {word}")),
            );
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn rooms_import_only_whom_they_may_know() {
    let mut broken = Vec::new();
    for (name, text) in sources() {
        let (own, _, allowed) = room(&name);
        let own = own.split(['/', '.']).next().unwrap();
        for import in imports(&text) {
            let target = import.split("::").next().unwrap();
            let may =
                target == own || allowed.iter().any(|room| import == *room || import.starts_with(&format!("{room}::")));
            if !may {
                broken.push(format!("{name} imports {import}"));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn the_engine_names_no_kind() {
    // Data, tests and quirks may; `tenant` and `hooks` are words of other meanings too.
    let kinds: Vec<String> = Registry::builtin()
        .names()
        .into_iter()
        .filter(|kind| !["tenant", "hooks"].contains(kind))
        .map(|kind| format!("\"{kind}\""))
        .collect();
    let mut named = Vec::new();
    for (name, text) in sources() {
        let may = name.starts_with("checks/") || ["sandbox/oauth.rs", "kinds/quirk.rs"].contains(&name.as_str());
        if !may {
            named.extend(kinds.iter().filter(|kind| text.contains(*kind)).map(|kind| format!("{name}: {kind}")));
        }
    }
    assert_eq!(named, Vec::<String>::new());
}
