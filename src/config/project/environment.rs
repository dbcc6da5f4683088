//! What the project file says about one environment.
//!
//! Pure; a part of [`super::parse`].

use std::collections::BTreeMap;

use serde_json::Value;

use super::reader::Reader;
use super::{EnvironmentPart, Placed};
use crate::config::yaml::Entry;
use crate::error::Problem;

/// The keys of an environment.
const ENVIRONMENT_KEYS: [&str; 17] = [
    "tenant",
    "keywords",
    "keywords_file",
    "credentials",
    "protected",
    "allow_delete",
    "only",
    "only_named",
    "exclude",
    "exclude_kinds",
    "exclude_where",
    "exclude_third_party_clients",
    "exclude_fields",
    "export_fields",
    "audience",
    "protect",
    "pace",
];

/// The keys that `credentials` may have.
const CREDENTIAL_KEYS: [&str; 5] = [
    "client_id_env",
    "client_secret_env",
    "client_signing_key_path_env",
    "client_signing_algorithm",
    "access_token_env",
];

impl Reader<'_> {
    pub(super) fn environment(&mut self, entry: &Entry) -> EnvironmentPart {
        let mut part = EnvironmentPart::default();
        for member in self.members(&entry.value, &format!("the environment `{}`", entry.key)) {
            match member.key.as_str() {
                "tenant" => part.tenant = self.text(&member),
                "keywords" => part.keywords = self.keywords(&member.value, "`keywords`"),
                "keywords_file" => part.keywords_file = self.text(&member),
                "credentials" => part.credentials = self.credentials(&member),
                "protected" => part.protected = self.claim(&member),
                "allow_delete" => part.allow_delete = self.claim(&member),
                "only" => part.only = self.texts(&member),
                "exclude" => part.exclude = self.texts(&member),
                "exclude_kinds" => part.exclude_kinds = self.texts(&member),
                "only_named" => part.only_named = self.texts(&member),
                "exclude_where" => part.exclude_where = self.wheres(&member),
                "exclude_third_party_clients" => {
                    part.exclude_third_party = self.claim(&member).then(|| self.origin(&member.span));
                }
                "exclude_fields" => part.exclude_fields = self.kind_fields(&member),
                "export_fields" => part.export_fields = self.kind_fields(&member),
                "audience" => part.audience = self.text(&member),
                "protect" => part.protect = self.texts(&member),
                "pace" => part.pace = self.pace(&member),
                _ => self.unknown(&member, &ENVIRONMENT_KEYS),
            }
        }
        if part.tenant.is_none() {
            let origin = self.origin(&entry.span);
            let problem = Problem::error(format!("the environment `{}` names no tenant", entry.key)).at(Some(origin));
            self.problems.push(problem.hint("write `tenant: my-tenant.eu.auth0.com`, or `tenant: sandbox`"));
        }
        part
    }

    fn credentials(&mut self, entry: &Entry) -> BTreeMap<String, Placed<String>> {
        let mut names = BTreeMap::new();
        for member in self.members(&entry.value, "`credentials`") {
            if let Some(known) = CREDENTIAL_KEYS.iter().find(|known| **known == member.key) {
                names.extend(self.text(&member).map(|text| ((*known).to_owned(), text)));
            } else if CREDENTIAL_KEYS.iter().any(|known| known.strip_suffix("_env") == Some(member.key.as_str())) {
                self.secrets.learn_value(&member.value.to_json());
                let origin = self.origin(&member.span);
                let message =
                    format!("`{}` may not stand in a file: credentials come from environment variables", member.key);
                let hint = format!("write `{}_env` with the name of a variable", member.key);
                self.problems.push(Problem::error(message).at(Some(origin)).hint(hint));
            } else {
                self.unknown(&member, &CREDENTIAL_KEYS);
            }
        }
        names
    }

    /// Reads a map from kinds to lists of fields, as dotted paths.
    pub(in crate::config) fn kind_fields(&mut self, entry: &Entry) -> Vec<Placed<(String, String)>> {
        let mut fields = Vec::new();
        for member in self.members(&entry.value, &format!("`{}`", entry.key)) {
            let paths = self.texts(&member);
            fields.extend(
                paths.into_iter().map(|path| Placed { value: (member.key.clone(), path.value), origin: path.origin }),
            );
        }
        fields
    }

    /// Reads a map from kinds to lists of values that objects may not have.
    fn wheres(&mut self, entry: &Entry) -> Vec<Placed<(String, Value)>> {
        let mut wheres = Vec::new();
        for member in self.members(&entry.value, &format!("`{}`", entry.key)) {
            for item in self.items(&member) {
                if !self.members(&item, &format!("an element of `{}`", member.key)).is_empty() {
                    wheres.push(self.placed((member.key.clone(), item.to_json()), &item.span));
                }
            }
        }
        wheres
    }
}
