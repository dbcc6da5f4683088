//! The Deploy CLI's configuration: `config.json` and environment variables, each value with its place.
//!
//! ```text
//!   config.json + variables -> Configuration -> `settings::deploy_cli` -> Project -> Settings
//! ```
//!
//! Pure. Which keys there are, and what becomes of each, stands in `deploy_cli_keys.txt`: a line is a
//! key, the shape of its value, and its use with what that needs (deploy-cli-format.md of the API facts,
//! section 2). A variable wins over the file; lists and maps in variables are JSON.

use std::sync::Arc;

use super::project::reader::Reader;
use super::project::{AsWritten, Placed};
use super::variables::Variables;
use super::yaml::{Entry, Node, read};
use crate::error::{Origin, Problem, Problems, SourceText};
use crate::secret::Secrets;
use crate::text::{did_you_mean, one_of};

/// A key of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its name, in the file and as a variable.
    pub name: &'static str,
    /// What its value is: `text`, `claim`, `texts`, `map` or `any`.
    pub shape: &'static str,
    /// What it does.
    pub role: &'static str,
    /// What the use needs: a kind, or the reason why it does nothing.
    pub more: &'static str,
}

/// Goes through all keys.
pub fn keys() -> impl Iterator<Item = Key> {
    include_str!("deploy_cli_keys.txt").lines().map(|line| {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        Key { name: word(), shape: word(), role: word(), more: word() }
    })
}

/// The configuration, as it is said.
#[derive(Debug, Default)]
pub struct Configuration {
    /// What is given, in the order of the keys.
    pub given: Vec<Given>,
    /// Whether the environment counts.
    pub has_environment: bool,
}

/// A key with its value.
#[derive(Debug)]
pub struct Given {
    /// The key.
    pub key: Key,
    /// Its value.
    pub entry: Entry,
    /// The text that it stands in.
    pub source: Arc<SourceText>,
    /// It comes from an environment variable.
    pub is_variable: bool,
}

impl Given {
    /// Gives the place of the value.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin::new(&self.source, self.entry.value.span.clone())
    }

    /// Tells whether it is true, or anything else but false, nothing and empty.
    #[must_use]
    pub fn is_on(&self) -> bool {
        let value = self.entry.value.to_json();
        let is_off = value.is_null() || value == 0 || value == false || value == "" || value == "false";
        !is_off && value.as_array().is_none_or(|items| !items.is_empty())
    }

    /// Reads true or false, which may be a text.
    pub fn claim(&self, secrets: &Secrets, problems: &mut Problems) -> bool {
        match self.entry.value.as_text() {
            Some("true") => true,
            Some("false") => false,
            _ => self.reader(secrets, problems).claim(&self.entry),
        }
    }

    /// Reads a text.
    pub fn text(&self, secrets: &Secrets, problems: &mut Problems) -> Option<Placed<String>> {
        self.reader(secrets, problems).text(&self.entry)
    }

    /// Reads a list of texts.
    pub fn texts(&self, secrets: &Secrets, problems: &mut Problems) -> Vec<Placed<String>> {
        self.reader(secrets, problems).texts(&self.entry)
    }

    /// Reads the fields of kinds.
    pub fn fields(&self, secrets: &Secrets, problems: &mut Problems) -> Vec<Placed<(String, String)>> {
        self.reader(secrets, problems).kind_fields(&self.entry)
    }

    /// Reads a map.
    pub fn members(&self, secrets: &Secrets, problems: &mut Problems) -> Vec<(Placed<String>, Node)> {
        let mut reader = self.reader(secrets, problems);
        let members = reader.members(&self.entry.value, &format!("`{}`", self.key.name));
        members.into_iter().map(|member| (reader.placed(member.key, &member.span), member.value)).collect()
    }

    fn reader<'a>(&'a self, secrets: &'a Secrets, problems: &'a mut Problems) -> Reader<'a> {
        Reader { source: &self.source, secrets, problems }
    }
}

impl Configuration {
    /// Reads a file and the environment variables, either of which may be missing.
    #[must_use]
    pub fn read(
        file: Option<&Arc<SourceText>>,
        variables: Option<&Variables>,
        secrets: &Secrets,
        problems: &mut Problems,
    ) -> Self {
        let written = file.map_or_else(Vec::new, |source| members(source, secrets, problems));
        let mut configuration = Self { given: Vec::new(), has_environment: variables.is_some() };
        for key in keys() {
            let variable = variables.and_then(|variables| variables.given(key.name));
            let in_file = written.iter().find(|entry| entry.key == key.name);
            let given = match (variable, file, in_file) {
                (Some(text), ..) => of_variable(key, text, secrets, problems),
                (None, Some(source), Some(entry)) if !entry.value.is_null() => {
                    let (entry, source) = (entry.clone(), Arc::clone(source));
                    Some(Given { key, entry, source, is_variable: false })
                }
                _ => None,
            };
            configuration.given.extend(given);
        }
        for given in configuration.given.iter().filter(|given| given.key.more == "secret") {
            secrets.learn_value(&given.entry.value.to_json());
        }
        if let Some(source) = file {
            unknown(source, &written, problems);
        }
        configuration
    }

    /// Finds what is given for a use.
    pub fn of<'a>(&'a self, role: &'a str) -> impl Iterator<Item = &'a Given> {
        self.given.iter().filter(move |given| given.key.role == role)
    }

    /// Says of two uses that they can't be given together.
    pub fn not_both(&self, one: &str, other: &str, problems: &mut Problems) {
        if let (Some(one), Some(other)) = (
            self.given.iter().find(|given| given.key.name == one),
            self.given.iter().find(|given| given.key.name == other),
        ) {
            let message = format!("`{}` and `{}` can't be given together", one.key.name, other.key.name);
            let also = (other.origin(), format!("`{}` stands here", other.key.name));
            problems.push(Problem::error(message).at(Some(one.origin())).also(Some(also.0), also.1).hint("keep one"));
        }
    }
}

/// Reads the members of the file. JSON may be indented by tabs, which the reader of YAML does not take.
fn members(source: &Arc<SourceText>, secrets: &Secrets, problems: &mut Problems) -> Vec<Entry> {
    // What is secret must be known before anything is said about the text around it.
    learn(&source.text, secrets);
    let mut found = Problems::default();
    let root = read(&source.text.replace('\t', " "), &mut AsWritten(source), &mut found);
    let is_broken = found.has_errors();
    problems.extend(found);
    match root {
        Some(root) if !root.is_null() => Reader { source, secrets, problems }.members(&root, "the configuration"),
        _ if is_broken => Vec::new(),
        _ => {
            let problem = Problem::error(format!("`{}` is empty", source.name)).at(Some(Origin::new(source, 0..0)));
            problems.push(problem.hint("a configuration is one JSON object, such as `{ \"AUTH0_DOMAIN\": \"...\" }`"));
            Vec::new()
        }
    }
}

/// Tells whether a keyword's name says that its value is a secret.
#[must_use]
pub fn sounds_secret(name: &str) -> bool {
    let name = name.to_uppercase();
    ["SECRET", "PASS", "TOKEN", "KEY"].iter().any(|word| name.contains(word))
}

/// Learns the texts that stand behind secret keys, in a file that may be broken: to the end of the line.
fn learn(text: &str, secrets: &Secrets) {
    let is_meant =
        |name: &str| keys().find(|key| key.name == name).map_or(sounds_secret(name), |key| key.more == "secret");
    for (at, _) in text.match_indices('"') {
        let name: &str = text[at + 1..].split(['"', '\n']).next().unwrap_or_default();
        let after = text[at + 1 + name.len()..].trim_start_matches(['"', ' ', '\t', '\r', '\n']);
        if let Some(after) = after.strip_prefix(':').filter(|_| is_meant(name)) {
            let line = after.trim_start().lines().next().unwrap_or_default();
            let value = line.trim_matches(['[', ']', '{', '}', ',', ' ', '\t', '"', '\'']);
            secrets.learn(value);
            secrets.learn(value.split('"').next().unwrap_or_default());
        }
    }
}

fn of_variable(key: Key, text: &str, secrets: &Secrets, problems: &mut Problems) -> Option<Given> {
    let source = SourceText::new(format!("the environment variable {}", key.name), text);
    let span = 0..text.len();
    let value = match key.shape {
        "texts" | "map" => {
            // Keywords may be secret, and are not shown in the text around a mistake.
            if key.role == "keywords" {
                secrets.learn(text);
            }
            let mut found = Problems::default();
            let value = read(text, &mut AsWritten(&source), &mut found);
            let is_broken = found.has_errors();
            for problem in found.sorted() {
                problems.push(problem.hint(format!("lists and maps in environment variables are JSON: {}", key.name)));
            }
            value.filter(|_| !is_broken)?
        }
        _ => Node::of_json(text.into(), &span, false),
    };
    let entry = Entry { key: key.name.to_owned(), span, value };
    Some(Given { key, entry, source, is_variable: true })
}

fn unknown(source: &Arc<SourceText>, written: &[Entry], problems: &mut Problems) {
    let names: Vec<&str> = keys().map(|key| key.name).collect();
    for entry in written.iter().filter(|entry| !names.contains(&entry.key.as_str())) {
        let hint = match did_you_mean(&entry.key, names.iter().copied()) {
            Some(near) => format!("did you mean {}?", one_of(&[near])),
            None => "what tenantctl reads of it is listed in docs/from-deploy-cli.md".to_owned(),
        };
        let problem = Problem::warning(format!("the key `{}` is not known and does nothing", entry.key));
        problems.push(problem.at(Some(Origin::new(source, entry.span.clone()))).hint(hint));
    }
}
