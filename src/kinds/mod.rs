//! The kinds of resources: declarations parsed once, looked up by name, in their order.
//!
//! First room on every way of the data: config checks definitions against it, the planner compares
//! by it, the client reads by it, the sandbox serves from it. It knows nothing of them.

pub mod check;
mod child;
mod condition;
mod directory;
mod element;
mod endpoint;
mod entitlement;
pub mod facts;
mod field;
mod fields;
mod format;
pub mod kind;
pub mod order;
pub mod part;
mod reference;
pub mod secrets;
pub mod server;
mod variants;

use std::sync::OnceLock;

use kind::Kind;

/// All kinds that tenantctl manages.
#[derive(Debug)]
pub struct Registry {
    kinds: Vec<Kind>,
    levels: Vec<Vec<usize>>,
}

impl Registry {
    /// Gives the kinds declared in `schemas/`.
    ///
    /// # Panics
    /// If a declaration in the binary is not valid; a test holds that none is.
    #[must_use]
    pub fn builtin() -> &'static Self {
        static BUILTIN: OnceLock<Registry> = OnceLock::new();
        BUILTIN.get_or_init(|| {
            Self::parse(include_str!(concat!(env!("OUT_DIR"), "/kinds.json"))).expect("the declarations are tested")
        })
    }

    /// Parses declarations from a JSON array.
    ///
    /// # Errors
    /// Says what is wrong with a declaration, or which kinds refer to each other in a circle.
    pub fn parse(json: &str) -> Result<Self, String> {
        let mut kinds: Vec<Kind> = serde_json::from_str(json).map_err(|error| error.to_string())?;
        for kind in &mut kinds {
            // A fixed name is the handle; no one field holds it where it has parts.
            let name = kind.keys.as_ref().map(|keys| &keys.field).filter(|field| !field.contains('/'));
            kind.id = kind.id.take().or_else(|| name.cloned());
        }
        let kinds = variants::resolved(element::resolved(kinds))?;
        let levels = order::levels(&kinds)?;
        Ok(Self { kinds, levels })
    }

    /// Finds a kind by name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    /// Goes through all kinds by name.
    pub fn iter(&self) -> std::slice::Iter<'_, Kind> {
        self.kinds.iter()
    }

    /// Gives all kinds in an order in which each comes after those it refers to.
    pub fn in_order(&self) -> impl Iterator<Item = &Kind> {
        self.levels.iter().flatten().map(|at| &self.kinds[*at])
    }

    /// Gives all names of kinds.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.kinds.iter().map(|kind| kind.name.as_str()).collect()
    }

    /// Gives the names of all kinds that a kind's fields refer to, itself left out.
    #[must_use]
    pub fn referred(&self, kind: &Kind) -> Vec<&str> {
        let found = order::referred(kind, |_| true);
        self.names().into_iter().filter(|name| *name != kind.name && found.contains(name)).collect()
    }
}

impl<'a> IntoIterator for &'a Registry {
    type Item = &'a Kind;
    type IntoIter = std::slice::Iter<'a, Kind>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::Registry;

    #[test]
    fn the_declarations_in_the_binary_are_valid() {
        let registry = Registry::parse(include_str!(concat!(env!("OUT_DIR"), "/kinds.json"))).unwrap();
        assert!(registry.get("clients").is_some());
        let order: Vec<&str> = registry.in_order().map(|kind| kind.name.as_str()).collect();
        let place = |name: &str| order.iter().position(|kind| *kind == name);
        assert!(place("resourceServers") < place("clients"));
        assert!(place("clients") < place("clientGrants"));
    }
}
