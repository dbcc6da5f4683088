//! The tenant as a whole, and the file in which it is kept.
//!
//! One JSON file, readable by its owner only, because it holds secrets and the signing key, and held
//! by one process at a time. Objects are the store's business.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::exchange::Moment;
use super::keys::Keys;
use super::oauth::{self, Used};
use super::seed;
use super::store::{Row, Store};
use crate::error::Error;
use crate::files;
use crate::kinds::Registry;

const VERSION: u32 = 1;
/// How long to wait for another command to be done with the state.
const PATIENCE: Duration = Duration::from_secs(5);

/// A tenant with its key and its own application.
#[derive(Debug)]
pub struct State {
    /// The objects.
    pub store: Store,
    /// The application that manages the tenant.
    pub client_id: String,
    /// Assertions that were signed in with; not kept, they live for minutes.
    pub used: Used,
    keys: Option<Arc<Keys>>,
}

#[derive(Serialize)]
struct Kept<'a> {
    version: u32,
    domain: &'a str,
    client_id: &'a str,
    key: Option<KeptKey>,
    rows: BTreeMap<&'a str, Vec<&'a Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    version: u32,
    domain: String,
    client_id: String,
    key: Option<KeptKey>,
    rows: BTreeMap<String, Vec<Row>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptKey {
    pem: String,
    certificate: String,
}

impl State {
    /// Makes a fresh tenant.
    ///
    /// # Errors
    /// Says why the declarations do not let one be made.
    pub fn fresh(registry: &'static Registry, moment: &mut Moment) -> Result<Self, Error> {
        let mut store = seed::fresh(registry, moment);
        let client_id = oauth::plant_manager(&mut store, moment)?;
        Ok(Self { store, client_id, used: Used::new(), keys: None })
    }

    /// Reads a kept tenant; none where there is no file.
    ///
    /// # Errors
    /// Says why the file could not be read.
    pub fn read(registry: &'static Registry, path: &Path, domain: &str) -> Result<Option<Self>, Error> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", path, error)),
        };
        let found: Found = serde_json::from_slice(&text).map_err(|error| failed("read", path, error))?;
        if found.version != VERSION {
            return Err(failed("read", path, format!("it has version {}, not {VERSION}", found.version)));
        }
        let keys = found.key.map(|key| {
            let certificate = STANDARD.decode(&key.certificate).map_err(|error| failed("read", path, error))?;
            Keys::from_parts(&key.pem, certificate).map(Arc::new)
        });
        let mut store = Store::new(registry, &found.domain);
        store.restore(found.rows);
        store.plant_fixed();
        if found.domain != domain {
            store.move_to(domain);
        }
        Ok(Some(Self { store, client_id: found.client_id, used: Used::new(), keys: keys.transpose()? }))
    }

    /// Tells whether the signing key is made already.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// Gives the signing key, made now if there is none.
    ///
    /// # Errors
    /// Says why it could not be made.
    pub fn keys(&mut self) -> Result<Arc<Keys>, Error> {
        if let Some(keys) = &self.keys {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(Keys::generate(self.store.domain())?);
        self.keys = Some(Arc::clone(&keys));
        Ok(keys)
    }

    /// Writes the tenant as JSON.
    ///
    /// # Errors
    /// Says why it could not be.
    pub fn text(&self) -> Result<String, Error> {
        let key = self.keys.as_ref().map(|keys| {
            let (pem, certificate) = keys.parts();
            KeptKey { pem: pem.to_owned(), certificate: STANDARD.encode(certificate) }
        });
        let kept = Kept {
            version: VERSION,
            domain: self.store.domain(),
            client_id: &self.client_id,
            key,
            rows: self.store.rows(),
        };
        serde_json::to_string(&kept).map_err(|error| Error::new("the sandbox's state is no JSON").because(error))
    }
}

/// Keeps the state file for this process alone: two that write it would lose each other's tenant.
///
/// # Errors
/// Says who may be using it.
pub fn claim(path: &Path) -> Result<fs::File, Error> {
    files::hold(&path.with_extension("lock"), PATIENCE).map_err(|error| {
        Error::new(format!("the sandbox's state {} can't be used now", path.display())).because(error).hint(
            "another `tenantctl` works on it, perhaps `sandbox serve`: end it, or give an environment its address",
        )
    })
}

fn failed(verb: &str, path: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(format!("cannot {verb} the sandbox's state {}", path.display()))
        .because(why)
        .hint("`tenantctl sandbox reset` starts over")
}
