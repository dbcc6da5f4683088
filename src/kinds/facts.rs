//! What people ask about a kind: what a token must be allowed for it, what a tenant's plan must have,
//! what can be done with it.
//!
//! Made from the declaration alone; the command `kinds` and the README's table say it.

use std::collections::BTreeSet;

use super::kind::Kind;
use super::part::Part;

/// Facts about a kind.
#[derive(Debug, Clone)]
pub struct Facts<'k> {
    /// The declaration.
    pub kind: &'k Kind,
    /// The fields by which an object is recognised: in several ways, the first of which counts.
    pub identity: Vec<Vec<&'k str>>,
    /// Scopes that reading it takes; where an endpoint takes several, any of them.
    pub read: BTreeSet<&'k str>,
    /// Scopes that creating and updating takes, lists and parts at endpoints of their own among it.
    pub write: BTreeSet<&'k str>,
    /// Scopes that deleting takes.
    pub delete: BTreeSet<&'k str>,
    /// Features that not every plan has, with the fields that need them; without fields, all of the kind does.
    pub features: Vec<(&'k str, Vec<&'k str>)>,
}

impl Facts<'_> {
    /// Gives all scopes.
    #[must_use]
    pub fn scopes(&self) -> BTreeSet<&str> {
        self.read.iter().chain(&self.write).chain(&self.delete).copied().collect()
    }

    /// Tells whether objects can be deleted.
    #[must_use]
    pub fn is_deletable(&self) -> bool {
        self.kind.delete.is_some()
    }
}

impl Kind {
    /// Gathers what people ask about it.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        let mut facts = Facts {
            kind: self,
            identity: self.identity.iter().map(|way| way.fields.iter().map(String::as_str).collect()).collect(),
            read: names(self.list.iter().map(|list| &list.scopes).chain(self.get.iter().map(|get| &get.scopes))),
            write: names([&self.create, &self.update].into_iter().flatten().map(|endpoint| &endpoint.scopes)),
            delete: names(self.delete.iter().map(|endpoint| &endpoint.scopes)),
            features: self.entitlement.iter().map(|it| (it.feature.as_str(), Vec::new())).collect(),
        };
        for (_, child) in self.children() {
            facts.read.extend(names([&child.list.scopes]));
            let calls = [&child.add, &child.change, &child.remove, &child.put].into_iter().flatten();
            facts.write.extend(names(calls.map(|call| &call.scopes)));
        }
        for (_, part) in self.parts() {
            facts.of_part(part);
        }
        for field in &self.fields {
            facts.write.extend(names(field.call.iter().map(|call| &call.scopes)));
            if let Some(scope) = &field.hidden_without {
                facts.read.insert(scope);
                facts.write.extend(names([&field.server.write_scopes]));
            }
            if let Some(entitlement) = &field.entitlement {
                let known = facts.features.iter_mut().find(|(feature, _)| *feature == entitlement.feature);
                match known {
                    Some((_, fields)) => fields.push(&field.name),
                    None => facts.features.push((&entitlement.feature, vec![&field.name])),
                }
            }
        }
        facts
    }
}

impl<'k> Facts<'k> {
    fn of_part(&mut self, part: &'k Part) {
        let found = part.by.iter().filter_map(|by| by.found.as_ref()).map(|found| &found.get);
        self.read.extend(names(found.chain([&part.get]).map(|get| &get.scopes)));
        let writes = [&part.create, &part.delete].into_iter().flatten().chain([&part.update]);
        self.write.extend(names(writes.map(|endpoint| &endpoint.scopes)));
    }
}

fn names<'k>(scopes: impl IntoIterator<Item = &'k Vec<String>>) -> BTreeSet<&'k str> {
    scopes.into_iter().flatten().map(String::as_str).collect()
}
