//! How tenantctl signs in: OAuth 2.0 client credentials by secret or private key JWT, or a ready token.
//!
//! Makes the form that asks for a token and reads the token that comes. It neither sends nor keeps
//! anything; nothing in here has a Debug that shows a secret.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;

use super::failure::{Cause, Failure, TOKEN};
use crate::error::Error;
use crate::secret::Secrets;

/// What tenantctl signs in with. Debug shows no secret.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Client credentials with a secret (RFC 6749, section 4.4).
    ClientSecret {
        /// The application.
        client_id: String,
        /// Its secret.
        client_secret: SecretString,
    },
    /// Client credentials with an assertion signed by the application's key (RFC 7523).
    PrivateKey {
        /// The application.
        client_id: String,
        /// The private key in PEM.
        pem: SecretString,
        /// How it signs.
        algorithm: SigningAlgorithm,
    },
    /// A Management API access token that somebody else got.
    AccessToken(SecretString),
}

/// Algorithms that Auth0 takes for private key JWT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SigningAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    #[default]
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PSS with SHA-256.
    Ps256,
}

/// How long an assertion holds: Auth0 advises one minute (auth-and-limits.md of the API facts,
/// section 1).
const ASSERTION_LIFE: u64 = 60;
/// A token is renewed this long before its end.
const MARGIN: Duration = Duration::from_secs(60);

impl Credentials {
    /// Gives the id of the application that signs in; of a ready token, the one that it was made
    /// for: `azp`, or `client_id` in the RFC 9068 profile (auth-and-limits.md of the API facts, 3).
    #[must_use]
    pub fn client_id(&self) -> Option<String> {
        match self {
            Self::ClientSecret { client_id, .. } | Self::PrivateKey { client_id, .. } => Some(client_id.clone()),
            Self::AccessToken(token) => {
                let claims = claims(token.expose_secret())?;
                let name = |claim: &str| claims.get(claim).and_then(Value::as_str).map(str::to_owned);
                name("azp").or_else(|| name("client_id"))
            }
        }
    }

    /// Adds what is secret in them to the secrets.
    pub(super) fn teach(&self, secrets: &Secrets) {
        match self {
            Self::ClientSecret { client_secret: secret, .. }
            | Self::PrivateKey { pem: secret, .. }
            | Self::AccessToken(secret) => secrets.learn(secret.expose_secret()),
        }
    }
}

/// Reads the claims of a JWT without checking it: whether it is good, the API says.
fn claims(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()
}

/// What proves to the token endpoint who we are, parsed once.
pub(super) enum Proof {
    Secret { client_id: String, secret: SecretString },
    Key { client_id: String, key: EncodingKey, algorithm: Algorithm },
    Token(SecretString),
}

#[derive(Serialize)]
struct Assertion<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
    jti: String,
}

impl Proof {
    /// Parses credentials.
    pub(super) fn of(credentials: &Credentials) -> Result<Self, Error> {
        Ok(match credentials {
            Credentials::ClientSecret { client_id, client_secret } => {
                Self::Secret { client_id: client_id.clone(), secret: client_secret.clone() }
            }
            Credentials::PrivateKey { client_id, pem, algorithm } => {
                // The error's own text may quote the key.
                let key = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes()).map_err(|_| {
                    Error::new(format!("the private key of the application `{client_id}` can't be read"))
                        .hint("it must be an RSA private key in PEM (PKCS#1 or PKCS#8), without a passphrase")
                })?;
                let algorithm = match algorithm {
                    SigningAlgorithm::Rs256 => Algorithm::RS256,
                    SigningAlgorithm::Rs384 => Algorithm::RS384,
                    SigningAlgorithm::Ps256 => Algorithm::PS256,
                };
                Self::Key { client_id: client_id.clone(), key, algorithm }
            }
            Credentials::AccessToken(token) => Self::Token(token.clone()),
        })
    }

    /// Makes the form that asks for a token. An assertion is single use, so each form has its own.
    pub(super) fn form(
        &self,
        domain: &str,
        audience: &str,
        now: Duration,
    ) -> Result<Vec<(&'static str, SecretString)>, Failure> {
        let mut form = vec![("grant_type", "client_credentials".into()), ("audience", audience.into())];
        match self {
            Self::Secret { client_id, secret } => {
                form.extend([("client_id", client_id.as_str().into()), ("client_secret", secret.clone())]);
            }
            Self::Key { client_id, key, algorithm } => form.extend([
                ("client_id", client_id.as_str().into()),
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".into()),
                ("client_assertion", assertion(client_id, key, *algorithm, domain, now)?.into()),
            ]),
            Self::Token(_) => {}
        }
        Ok(form)
    }
}

fn assertion(
    client_id: &str,
    key: &EncodingKey,
    algorithm: Algorithm,
    domain: &str,
    now: Duration,
) -> Result<String, Failure> {
    let failed = |why: String| Failure::new(TOKEN, Cause::NotDone, "can't sign the assertion").because(why);
    let mut random = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| failed("the system gives no random numbers".to_owned()))?;
    let claims = Assertion {
        iss: client_id,
        sub: client_id,
        aud: &format!("https://{domain}/"),
        iat: now.as_secs(),
        exp: now.as_secs() + ASSERTION_LIFE,
        jti: URL_SAFE_NO_PAD.encode(random),
    };
    jsonwebtoken::encode(&Header::new(algorithm), &claims, key).map_err(|error| failed(error.to_string()))
}

/// An access token.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) text: SecretString,
    ends: Option<Duration>,
    margin: Duration,
}

impl Token {
    /// Takes a token whose end is not known: the API will say.
    pub(super) fn ready(text: SecretString) -> Self {
        Self { text, ends: None, margin: Duration::ZERO }
    }

    /// Reads the answer of the token endpoint.
    pub(super) fn read(answer: &Value, now: Duration) -> Option<Self> {
        let text = answer.get("access_token")?.as_str()?;
        let life = answer.get("expires_in").and_then(Value::as_u64).map(Duration::from_secs);
        // A token of a minute or less would never be used otherwise.
        let margin = life.map_or(Duration::ZERO, |life| MARGIN.min(life / 10));
        Some(Self { text: text.into(), ends: life.map(|life| now.saturating_add(life)), margin })
    }

    /// Tells whether it can still be used.
    pub(super) fn is_fresh(&self, now: Duration) -> bool {
        self.ends.is_none_or(|ends| now + self.margin < ends)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use secrecy::ExposeSecret;
    use serde_json::{Value, json};

    use super::{Credentials, Proof, SigningAlgorithm, Token, claims};

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn key() -> String {
        rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap().serialize_pem()
    }

    #[test]
    fn the_application_is_read_from_a_ready_token() {
        for claim in ["azp", "client_id"] {
            let payload = URL_SAFE_NO_PAD.encode(json!({claim: "abc"}).to_string());
            let credentials = Credentials::AccessToken(format!("e30.{payload}.c2ln").into());
            assert_eq!(credentials.client_id().as_deref(), Some("abc"));
        }
        assert_eq!(Credentials::AccessToken("opaque".into()).client_id(), None);
    }

    #[test]
    fn an_assertion_is_for_the_tenant_and_lives_a_minute() {
        let pem = key();
        for (algorithm, name) in
            [(SigningAlgorithm::Rs256, "RS256"), (SigningAlgorithm::Rs384, "RS384"), (SigningAlgorithm::Ps256, "PS256")]
        {
            let credentials =
                Credentials::PrivateKey { client_id: "abc".to_owned(), pem: pem.as_str().into(), algorithm };
            let proof = Proof::of(&credentials).unwrap();
            let forms: Vec<_> = (0..2).map(|_| proof.form("x.auth0.com", "https://x.auth0.com/api/v2/", NOW)).collect();
            let sent: Vec<Value> = forms
                .iter()
                .map(|form| {
                    let form = form.as_ref().unwrap();
                    let (_, jwt) = form.iter().find(|(name, _)| *name == "client_assertion").unwrap();
                    let header = jsonwebtoken::decode_header(jwt.expose_secret()).unwrap();
                    assert_eq!(format!("{:?}", header.alg), name);
                    claims(jwt.expose_secret()).unwrap()
                })
                .collect();
            assert_eq!(sent[0]["aud"], "https://x.auth0.com/");
            assert_eq!((&sent[0]["iss"], &sent[0]["sub"]), (&json!("abc"), &json!("abc")));
            assert_eq!(sent[0]["exp"].as_u64().unwrap() - sent[0]["iat"].as_u64().unwrap(), 60);
            assert_ne!(sent[0]["jti"], sent[1]["jti"]);
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_showing_it() {
        let credentials = Credentials::PrivateKey {
            client_id: "abc".to_owned(),
            pem: "hunter22".into(),
            algorithm: SigningAlgorithm::Rs256,
        };
        let error = Proof::of(&credentials).err().unwrap();
        assert!(!format!("{error:?}{credentials:?}").contains("hunter22"));
        assert!(error.hint.unwrap().contains("PEM"));
    }

    #[test]
    fn a_token_is_renewed_before_its_end() {
        let token = Token::read(&json!({"access_token": "abcd", "expires_in": 3600}), NOW).unwrap();
        assert!(token.is_fresh(NOW + Duration::from_secs(3500)));
        assert!(!token.is_fresh(NOW + Duration::from_secs(3550)));
        let short = Token::read(&json!({"access_token": "abcd", "expires_in": 10}), NOW).unwrap();
        assert!(short.is_fresh(NOW + Duration::from_secs(8)));
        let endless = Token::read(&json!({"access_token": "abcd", "expires_in": u64::MAX}), NOW).unwrap();
        assert!(endless.is_fresh(NOW), "no number of the server's makes us stumble");
        assert!(Token::read(&json!({"token": "abcd"}), NOW).is_none());
    }
}
