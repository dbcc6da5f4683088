//! A fresh tenant: the objects that each declaration plants.
//!
//! Pure; it names no kind. The application that manages the tenant and its grant are the seeds of
//! `oauth`, which knows what they mean.

use serde_json::Value;

use super::exchange::Moment;
use super::make;
use super::store::Store;
use crate::kinds::Registry;

/// Makes a tenant with what each declaration plants.
#[must_use]
pub fn fresh(registry: &'static Registry, moment: &mut Moment) -> Store {
    let mut store = Store::new(registry, &moment.domain);
    for kind in registry.in_order() {
        store.plant_parts(kind);
        for seed in &kind.server.seed {
            let planted = make::of_template(seed, &serde_json::Map::new(), moment);
            if let Value::Object(object) = planted {
                store.plant(kind, object, moment);
            }
        }
    }
    store.plant_fixed();
    store
}

/// Plants what a tenant always has and this one lacks: it was kept by a version that knew fewer kinds.
pub fn complete(store: &mut Store, moment: &mut Moment) {
    for kind in store.registry().iter().filter(|kind| kind.singleton && kind.create.is_none()) {
        store.plant_parts(kind);
        let seed = kind.server.seed.first().filter(|_| store.objects(&kind.name).next().is_none());
        if let Some(Value::Object(object)) = seed.map(|seed| make::of_template(seed, &serde_json::Map::new(), moment)) {
            store.plant(kind, object, moment);
        }
    }
}
