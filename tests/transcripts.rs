//! The real binary against the real sandbox: each file in `tests/transcripts/` is a project and what
//! the commands printed.
//!
//! A file starts with a sentence, then holds files (`--- path`), then commands (`$ tenantctl ..`)
//! with their output: stdout, what went to stderr, and an exit status that is not 0. `BLESS=1`
//! writes down what is printed now.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many transcripts run side by side.
const WORKERS: usize = 4;

pub(crate) struct Transcript {
    sentence: Vec<String>,
    files: Vec<(String, String)>,
    commands: Vec<(String, String)>,
}

pub(crate) fn parse(text: &str) -> Transcript {
    let mut transcript = Transcript { sentence: Vec::new(), files: Vec::new(), commands: Vec::new() };
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            transcript.commands.push((command.to_owned(), String::new()));
        } else if let Some((_, output)) = transcript.commands.last_mut() {
            *output += line;
            output.push('\n');
        } else if let Some(path) = line.strip_prefix("--- ") {
            transcript.files.push((path.to_owned(), String::new()));
        } else if let Some((_, text)) = transcript.files.last_mut() {
            *text += line;
            text.push('\n');
        } else {
            transcript.sentence.push(line.to_owned());
        }
    }
    transcript
}

/// Runs one command as a shell would, in an environment that holds nothing of this machine's.
fn run(command: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_tenantctl"));
    let path = std::env::join_paths([program.parent().unwrap(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder)
        .env_clear()
        .env("PATH", path)
        .env("HOME", folder)
        .env("COLUMNS", "100")
        .output()
        .unwrap();
    let mut text = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    if !stderr.is_empty() {
        let _ = write!(text, "------- stderr\n{stderr}");
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text += "[no newline]\n";
    }
    match output.status.code() {
        Some(0) => {}
        Some(code) => {
            let _ = writeln!(text, "[exit status: {code}]");
        }
        None => text += "[killed]\n",
    }
    stable(&text, folder)
}

/// The one place where output is made stable: paths, ids, digests, ports and the version.
fn stable(text: &str, folder: &Path) -> String {
    let text = text.replace(folder.to_str().unwrap(), "[ROOT]").replace(env!("CARGO_PKG_VERSION"), "[VERSION]");
    let mut stable = String::new();
    let mut word = String::new();
    for character in text.chars().chain(['\0']) {
        if character.is_ascii_alphanumeric() || character == '_' {
            word.push(character);
            continue;
        }
        stable += match word.as_str() {
            word if word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit()) => "[SHA256]",
            word if is_id(word) => "[ID]",
            // That of a hook has no prefix.
            word if word.len() == 16 && stable.ends_with("created (") => "[ID]",
            word => word,
        };
        word.clear();
        if character != '\0' {
            stable.push(character);
        }
    }
    ["127.0.0.1:", "localhost:"].into_iter().fold(without_times(&stable), |text, host| without_ports(&text, host))
}

/// Takes out times such as `2026-11-24T13:05:01.120Z`, also as they stand in the names of files.
fn without_times(text: &str) -> String {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00.000Z";
    let is_time = |bytes: &[u8]| {
        bytes.iter().zip(SHAPE).all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            b':' => b":-".contains(byte),
            shape => byte == shape,
        })
    };
    let mut stable = String::new();
    let mut rest = text;
    while let Some(at) = rest.as_bytes().windows(SHAPE.len()).position(is_time) {
        stable += &rest[..at];
        stable += "[TIME]";
        rest = &rest[at + SHAPE.len()..];
    }
    stable + rest
}

fn without_ports(text: &str, host: &str) -> String {
    let mut parts = text.split(host);
    let mut joined = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        let port = if rest.len() < part.len() { "[PORT]" } else { "" };
        joined.extend([host, port, rest]);
    }
    joined
}

/// Ids that the sandbox makes: 32 letters and digits, 24 hex digits, 16 mixed ones, or a prefix and 16 or 22.
fn is_id(word: &str) -> bool {
    let is_hex = word.bytes().all(|b| b.is_ascii_hexdigit());
    let has = |is: fn(&u8) -> bool| word.bytes().any(|byte| is(&byte));
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
    match word.split_once('_') {
        Some((prefix, rest)) if rest.len() == 16 => ["cgr", "cd", "rol", "rul"].contains(&prefix),
        Some((prefix, rest)) => ["ac", "af", "ap"].contains(&prefix) && rest.len() == 22,
        None => word.len() == 32 || word.len() == 24 && is_hex || word.len() == 16 && is_mixed,
    }
}

fn cases(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            cases(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            found.push(path);
        }
    }
}

/// Runs a transcript in a folder of its own, and gives its text as it would be now.
pub(crate) fn now(transcript: &Transcript) -> String {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let mut text = transcript.sentence.iter().fold(String::new(), |text, line| text + line + "\n");
    for (name, content) in &transcript.files {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
        let _ = write!(text, "--- {name}\n{content}");
    }
    for (command, _) in &transcript.commands {
        let _ = write!(text, "$ {command}\n{}", run(command, &folder));
    }
    text
}

/// Gives the difference between a transcript and what is printed now, if there is one.
fn difference(path: &Path, root: &Path) -> Option<String> {
    let before = fs::read_to_string(path).unwrap();
    let after = now(&parse(&before));
    if after == before {
        return None;
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, &after).unwrap();
        return None;
    }
    let diff = similar::TextDiff::from_lines(&before, &after).unified_diff().header("expected", "printed").to_string();
    Some(format!("{}\n{diff}", path.strip_prefix(root).unwrap().display()))
}

#[test]
fn commands_print_what_the_transcripts_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut paths = Vec::new();
    cases(&root, &mut paths);
    paths.sort();
    assert!(!paths.is_empty(), "there are transcripts");
    let next = AtomicUsize::new(0);
    let work = || {
        let path = || paths.get(next.fetch_add(1, Ordering::Relaxed));
        std::iter::from_fn(path).filter_map(|path| difference(path, &root)).collect::<Vec<_>>()
    };
    let mut differing: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    differing.sort();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
