//! Collects `schemas/*.yaml` into one JSON array, so that a new kind is one file and the binary
//! parses no YAML when it starts.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let schemas = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("schemas");
    println!("cargo::rerun-if-changed={}", schemas.display());
    let mut files: Vec<PathBuf> = fs::read_dir(&schemas)
        .expect("schemas/ is part of the project")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    let kinds: Vec<serde_json::Value> = files
        .iter()
        .map(|file| {
            println!("cargo::rerun-if-changed={}", file.display());
            let text = fs::read_to_string(file).expect("a readable declaration");
            serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
        })
        .collect();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("kinds.json");
    fs::write(out, serde_json::to_string(&kinds).expect("JSON")).expect("a writable OUT_DIR");
}
