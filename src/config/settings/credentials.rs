//! What an environment signs in with, from the environment variables.
//!
//! Read when it is asked for, so that offline commands need none. A private key is read from its file
//! here; whether the credentials are right, the API says.

use std::path::Path;

use secrecy::SecretString;

use super::Settings;
use crate::api::auth::{Credentials, SigningAlgorithm};
use crate::error::Error;
use crate::files;
use crate::secret::Secrets;
use crate::text::one_of;

impl Settings {
    /// Reads the credentials from the environment variables.
    ///
    /// # Errors
    /// If none are there: which variables were looked for.
    pub fn credentials(&self, secrets: &Secrets) -> Result<Credentials, Error> {
        let named = |key: &str| self.credentials.get(key).map(|name| name.value.as_str());
        let is_named = !self.credentials.is_empty();
        let variable = |key: &str, usual: &'static str| match named(key) {
            Some(name) => Some(name.to_owned()),
            None if is_named => None,
            None => Some(usual.to_owned()),
        };
        let value = |name: &Option<String>| name.as_deref().and_then(|name| self.login.given(name));
        let id = variable("client_id_env", "AUTH0_CLIENT_ID");
        let secret = variable("client_secret_env", "AUTH0_CLIENT_SECRET");
        let key = variable("client_signing_key_path_env", "AUTH0_CLIENT_SIGNING_KEY_PATH");
        let token = variable("access_token_env", "AUTH0_ACCESS_TOKEN");
        let learned = |text: &str| {
            secrets.learn(text);
            SecretString::from(text.to_owned())
        };
        if let (Some(client_id), Some(path)) = (value(&id), value(&key)) {
            let pem = files::read_anywhere(Path::new(path)).map_err(|problem| {
                Error::new("can't read the private key to sign in with")
                    .because(problem.message)
                    .hint(format!("set {} to the path of a PEM file", key.as_deref().unwrap_or_default()))
            })?;
            let algorithm = self.algorithm(named("client_signing_algorithm"))?;
            return Ok(Credentials::PrivateKey { client_id: client_id.to_owned(), pem: learned(&pem.text), algorithm });
        }
        if let (Some(client_id), Some(client_secret)) = (value(&id), value(&secret)) {
            let client_secret = learned(client_secret);
            return Ok(Credentials::ClientSecret { client_id: client_id.to_owned(), client_secret });
        }
        if let Some(token) = value(&token) {
            return Ok(Credentials::AccessToken(learned(token)));
        }
        Err(self.no_credentials(&[id, secret, key, token]))
    }

    fn no_credentials(&self, looked_for: &[Option<String>]) -> Error {
        let names: Vec<String> = looked_for
            .iter()
            .flatten()
            .map(|name| {
                let state = if self.login.given(name).is_some() { "set" } else { "not set" };
                format!("{name} ({state})")
            })
            .collect();
        Error::new(format!("no credentials for environment `{}` ({})", self.environment, self.target))
            .because(format!("looked for the environment variables {}", names.join(", ")))
            .hint("needed: a client id with a client secret or a private key, or an access token")
    }

    fn algorithm(&self, written: Option<&str>) -> Result<SigningAlgorithm, Error> {
        match written.or_else(|| self.login.given("AUTH0_CLIENT_SIGNING_ALGORITHM")).unwrap_or("RS256") {
            "RS256" => Ok(SigningAlgorithm::Rs256),
            "RS384" => Ok(SigningAlgorithm::Rs384),
            "PS256" => Ok(SigningAlgorithm::Ps256),
            other => Err(Error::new(format!("`{other}` is no algorithm that Auth0 takes for a private key"))
                .hint(format!("use {}", one_of(&["RS256", "RS384", "PS256"])))),
        }
    }
}
