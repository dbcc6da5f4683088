//! All tests of the outside, in one binary.

#![expect(clippy::unwrap_used, reason = "a test that can't go on fails there")]

mod architecture;
mod canary;
mod config;
mod deploy_cli;
mod directory;
mod docs;
mod environments;
mod examples;
mod export;
mod faults;
mod free;
mod keywords;
mod laws;
mod lifecycle;
mod reliability;
mod requests;
mod sandbox;
mod schemas;
mod support;
mod transcripts;

/// A file that nobody names here would never run.
#[test]
fn no_test_file_is_forgotten() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let this = include_str!("main.rs");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_test = path.extension().is_some_and(|extension| extension == "rs") && name != "main";
        assert!(!is_test || this.contains(&format!("mod {name};")), "tests/{name}.rs is not part of tests/main.rs");
    }
}
