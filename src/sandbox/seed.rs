//! A fresh tenant: the objects that each declaration plants.
//!
//! Pure; it names no kind. The application that manages the tenant and its grant are the seeds of
//! `oauth`, which knows what they mean.

use serde_json::{Value, json};

use super::exchange::Moment;
use super::fill::{self, Source};
use super::store::{Store, handle_field};
use crate::kinds::Registry;

/// Makes a tenant with what each declaration plants.
#[must_use]
pub fn fresh(registry: &'static Registry, domain: &str, moment: &mut Moment) -> Store {
    let mut store = Store::new(registry, domain);
    for kind in registry.in_order() {
        // Of fixed names without a create, every object is there from the start.
        for name in kind.keys.iter().filter(|_| kind.create.is_none()).flat_map(|keys| &keys.values) {
            let object = handle_field(kind).map(|field| (field.to_owned(), json!(name))).into_iter().collect();
            store.plant(kind, object, moment);
        }
        for seed in &kind.server.seed {
            let planted = fill::make(seed, &serde_json::Map::new(), &mut Source { domain, moment });
            if let Value::Object(object) = planted {
                store.plant(kind, object, moment);
            }
        }
    }
    store
}
