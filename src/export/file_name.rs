//! File names made from names of objects, as the Deploy CLI makes them.

use std::collections::BTreeSet;

/// File systems take 255 bytes; this leaves room for what stands around a name.
const LONGEST: usize = 180;

/// Replaces by `-` what file systems refuse in a name (deploy-cli-format.md section 4).
pub(super) fn sanitised(name: &str) -> String {
    let is_refused = |c: char| matches!(c, '/' | '\\' | '?' | '<' | '>' | ':' | '*' | '|' | '"') || c.is_control();
    let mut clean: String = name.chars().map(|c| if is_refused(c) { '-' } else { c }).collect();
    let end = (0..=LONGEST.min(clean.len())).rev().find(|at| clean.is_char_boundary(*at)).unwrap_or(0);
    clean.truncate(end);
    let stem = clean.trim_end_matches([' ', '.']).len();
    if stem < clean.len() {
        clean.replace_range(stem.., "-");
    }
    if clean.is_empty() || is_reserved(&clean) { "-".to_owned() } else { clean }
}

/// Tells whether Windows takes a name for a device, whatever its ending.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| rest.len() == 1 && rest.chars().all(|c| c.is_ascii_digit()))
    };
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul") || is_numbered("com") || is_numbered("lpt")
}

/// The names that are taken already, compared as file systems do that ignore case.
#[derive(Debug, Default)]
pub(super) struct Taken(BTreeSet<String>);

impl Taken {
    /// Finds the first free one among `path("")`, `path("-2")`, `path("-3")` and so on, and takes it.
    pub(super) fn free(&mut self, path: impl Fn(&str) -> String) -> String {
        let mut at = 1;
        loop {
            let suffix = if at == 1 { String::new() } else { format!("-{at}") };
            let candidate = path(&suffix);
            if self.0.insert(candidate.to_lowercase()) {
                return candidate;
            }
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Taken, sanitised};

    #[test]
    fn what_file_systems_refuse_becomes_a_dash() {
        for (name, file) in [
            ("Billing worker", "Billing worker"),
            ("a/b\\c?d<e>f:g*h|i\"j", "a-b-c-d-e-f-g-h-i-j"),
            ("../../etc/passwd", "..-..-etc-passwd"),
            ("..", "-"),
            ("con", "-"),
            ("LPT1.txt", "-"),
            ("console", "console"),
            ("tail. ", "tail-"),
            ("\u{0}\u{1b}\u{85}", "---"),
            ("", "-"),
            ("Größe 😀", "Größe 😀"),
        ] {
            assert_eq!(sanitised(name), file);
        }
        assert!(sanitised(&"ü".repeat(500)).len() <= LONGEST);
    }

    #[test]
    fn names_that_become_the_same_get_a_suffix() {
        let mut taken = Taken::default();
        let names = ["a.html", "A.html", "a.html"].map(|name| {
            let stem = name.trim_end_matches(".html");
            taken.free(|suffix| format!("{stem}{suffix}.html"))
        });
        assert_eq!(names, ["a.html", "A-2.html", "a-3.html"]);
    }
}
