//! The keywords of an environment: shared ones, those of files, the environment's own.
//!
//! A part of settings; what a keyword may be in the project file is decided here.

use serde_json::Value;

use super::Project;
use crate::config::expression::ENV;
use crate::config::keywords::{Keyword, Keywords};
use crate::config::project::{self, EnvironmentPart, Placed};
use crate::config::yaml::{Data, Node};
use crate::error::{Problem, Problems};
use crate::text::one_of;

impl Project {
    /// Collects the keywords: shared ones, those of files, the environment's own; later ones win.
    pub(super) fn keywords(&self, part: &EnvironmentPart, problems: &mut Problems) -> Keywords {
        let mut keywords = Keywords::default();
        let mut add = |members: &[(Placed<String>, Node)], problems: &mut Problems| {
            for (name, node) in members {
                if let Some(keyword) = self.keyword(name, node, problems) {
                    keywords.set(&name.value, keyword);
                }
            }
        };
        add(&self.file.keywords, problems);
        for file in [&self.file.keywords_file, &part.keywords_file].into_iter().flatten() {
            match self.files.read(&file.value) {
                Ok(source) => add(&project::keyword_file(&source, &self.secrets, problems), problems),
                Err(problem) => {
                    let origin = problem.origin.clone().or_else(|| Some(file.origin.clone()));
                    problems.push(problem.at(origin));
                }
            }
        }
        add(&part.keywords, problems);
        if self.given.is_some() {
            keywords.set_place("AUTH0_KEYWORD_REPLACE_MAPPINGS, or as an environment variable");
        }
        if self.given.as_ref().is_some_and(|given| given.is_ambient) {
            // As the Deploy CLI has it: every variable is one, and wins.
            for (name, value) in self.variables.iter().filter(|(name, _)| *name != ENV) {
                keywords.set(name, Keyword::ambient(name, value));
            }
        }
        keywords
    }

    fn keyword(&self, name: &Placed<String>, node: &Node, problems: &mut Problems) -> Option<Keyword> {
        let origin = Some(name.origin.clone());
        if name.value == ENV || name.value.is_empty() {
            let message = format!("a keyword can't be called `{}`", name.value);
            let hint = "in expressions `env` stands for the environment variables";
            problems.push(Problem::error(message).at(origin).hint(hint));
            return None;
        }
        let members: Vec<&str> = match &*node.data {
            Data::Map(entries) => entries.iter().map(|entry| entry.key.as_str()).collect(),
            _ => Vec::new(),
        };
        let json = node.to_json();
        let keyword = match (members.as_slice(), json.get("env"), json.get("value"), json.get("secret")) {
            (["env"], Some(Value::String(variable)), ..) => Keyword {
                value: self.variables.given(variable).map(Value::from),
                is_secret: true,
                variable: Some(variable.clone()),
                origin,
                is_ambient: false,
            },
            (["value", "secret"] | ["secret", "value"], _, Some(value), Some(Value::Bool(is_secret))) => {
                Keyword { value: Some(value.clone()), is_secret: *is_secret, variable: None, origin, is_ambient: false }
            }
            (members, Some(Value::String(variable)), ..) if members.len() > 1 => {
                let others: Vec<&str> = members.iter().copied().filter(|key| *key != "env").collect();
                let message = format!(
                    "the keyword `{}` comes from the environment variable `{variable}` and can't have {} too",
                    name.value,
                    one_of(&others)
                );
                let hint = format!(
                    "write `{{ env: {variable} }}`: what comes from the environment is always a secret; a map with the \
                     key `env` is written `{{ value: {{ env: ... }}, secret: false }}`"
                );
                problems.push(Problem::error(message).at(origin).hint(hint));
                return None;
            }
            _ => Keyword { value: Some(json), is_secret: false, variable: None, origin, is_ambient: false },
        };
        if let Some(value) = keyword.value.as_ref().filter(|_| keyword.is_secret) {
            self.secrets.learn_value(value);
        }
        Some(keyword)
    }
}
