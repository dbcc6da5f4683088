//! Which live object a definition means: by pin, by a declared move, then by identity.

use std::collections::HashMap;

use serde_json::Value;

use super::Moved;
use crate::error::Problem;
use crate::kinds::kind::Kind;
use crate::tenant::{Address, Object, identity_of, part};

/// The live objects of a kind, by what a definition may mean them by.
#[derive(Debug)]
pub struct Candidates<'a> {
    kind: &'a Kind,
    live: &'a [Object],
    ids: HashMap<&'a str, usize>,
    identities: HashMap<String, Vec<usize>>,
}

impl<'a> Candidates<'a> {
    /// Goes through the live objects of a kind once.
    #[must_use]
    pub fn new(kind: &'a Kind, live: &'a [Object]) -> Self {
        let mut candidates = Self { kind, live, ids: HashMap::new(), identities: HashMap::new() };
        for (at, object) in live.iter().enumerate() {
            if let Some(id) = &object.id {
                candidates.ids.entry(id).or_insert(at);
            }
            if let Some(identity) = identity(kind, object) {
                candidates.identities.entry(identity).or_default().push(at);
            }
        }
        candidates
    }

    /// Finds the live object of a definition, by its place among all.
    ///
    /// # Errors
    /// Several live objects have the identity, and the definition pins none of them.
    pub fn pair(&self, desired: &Object, moved: &[Moved]) -> Result<Option<usize>, Problem> {
        if self.kind.singleton {
            return Ok((!self.live.is_empty()).then_some(0));
        }
        if let Some(at) = desired.id.as_deref().and_then(|pin| self.ids.get(pin)) {
            return Ok(Some(*at));
        }
        let same = identity(self.kind, desired).and_then(|identity| self.identities.get(&identity));
        let origin = moved.iter().find(|moved| moved.kind == self.kind.name && moved.to == desired.address.name);
        match (same.map(Vec::as_slice), origin) {
            (Some([at]), _) => Ok(Some(*at)),
            (Some(several), _) => Err(ambiguous(self.kind, desired, self.live, several)),
            (None, None) => Ok(None),
            (None, Some(moved)) => self.moved_from(desired, &Address::new(&self.kind.name, &moved.from)),
        }
    }

    fn moved_from(&self, desired: &Object, old: &Address) -> Result<Option<usize>, Problem> {
        let places: Vec<usize> = (0..self.live.len()).filter(|at| self.live[*at].address == *old).collect();
        match places.as_slice() {
            [] => Ok(None),
            [at] => Ok(Some(*at)),
            several => Err(ambiguous(self.kind, desired, self.live, several)),
        }
    }
}

/// Writes down the fields that identify an object, with their values.
fn identity(kind: &Kind, object: &Object) -> Option<String> {
    let identity = identity_of(kind, &object.value)?;
    let values = identity.fields.iter().map(|name| part(kind, &object.value, name).cloned());
    let pairs: Vec<(&String, Option<Value>)> = identity.fields.iter().zip(values).collect();
    serde_json::to_string(&pairs).ok()
}

fn ambiguous(kind: &Kind, desired: &Object, live: &[Object], places: &[usize]) -> Problem {
    let ids: Vec<&str> = places.iter().filter_map(|at| live[*at].id.as_deref()).collect();
    let pin = kind.id.as_deref().unwrap_or("id");
    let pinned = desired.id.as_ref().map(|id| format!("; none of them is `{id}`, which the definition pins"));
    let message = format!(
        "the tenant has {} objects named {}: {}{}",
        places.len(),
        desired.address,
        ids.join(", "),
        pinned.unwrap_or_default()
    );
    Problem::error(message).at(desired.provenance.origin("")).hint(format!(
        "say which one is meant by its id in the definition, such as `{pin}: {}`",
        ids.first().unwrap_or(&"")
    ))
}
