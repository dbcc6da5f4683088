//! The tenant's signing key: made at the first need, kept with the tenant, published as JWKS.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde_json::{Value, json};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::error::Error;

/// An RSA key of 2048 bits with its public side.
#[derive(Clone)]
pub struct Keys {
    pem: String,
    certificate: Vec<u8>,
    kid: String,
    signing: EncodingKey,
    verifying: DecodingKey,
    jwk: Value,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl Keys {
    /// Makes a new key and a certificate for it.
    ///
    /// # Errors
    /// Says why the key could not be made.
    pub fn generate(domain: &str) -> Result<Self, Error> {
        let fail = |error: rcgen::Error| Error::new("the sandbox's signing key could not be made").because(error);
        let pair = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).map_err(fail)?;
        let name = domain.split(':').next().unwrap_or("sandbox").to_owned();
        let certificate =
            rcgen::CertificateParams::new(vec![name]).and_then(|params| params.self_signed(&pair)).map_err(fail)?;
        Self::from_parts(&pair.serialize_pem(), certificate.der().to_vec())
    }

    /// Takes a kept key back.
    ///
    /// # Errors
    /// Says why the text is no key.
    pub fn from_parts(pem: &str, certificate: Vec<u8>) -> Result<Self, Error> {
        let fail =
            |error: jsonwebtoken::errors::Error| Error::new("the sandbox's signing key is damaged").because(error);
        let signing = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(fail)?;
        let jwk = Jwk::from_encoding_key(&signing, Algorithm::RS256).map_err(fail)?;
        let verifying = DecodingKey::from_jwk(&jwk).map_err(fail)?;
        let jwk = serde_json::to_value(&jwk).map_err(|error| Error::new("no JWK").because(error))?;
        let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(&certificate))[..21].to_owned();
        Ok(Self { pem: pem.to_owned(), certificate, kid, signing, verifying, jwk })
    }

    /// Gives the private key in PEM and the certificate, to keep them.
    #[must_use]
    pub fn parts(&self) -> (&str, &[u8]) {
        (&self.pem, &self.certificate)
    }

    /// Gives the key's name in JWKS.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Gives the private key.
    #[must_use]
    pub fn signing(&self) -> &EncodingKey {
        &self.signing
    }

    /// Gives the public key.
    #[must_use]
    pub fn verifying(&self) -> &DecodingKey {
        &self.verifying
    }

    /// Gives the document of `/.well-known/jwks.json`.
    #[must_use]
    pub fn jwks(&self) -> Value {
        let thumbprint = URL_SAFE_NO_PAD
            .encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &self.certificate));
        json!({"keys": [{
            "kty": "RSA", "use": "sig", "n": self.jwk["n"], "e": self.jwk["e"], "kid": self.kid,
            "x5t": thumbprint, "x5c": [STANDARD.encode(&self.certificate)], "alg": "RS256",
        }]})
    }
}
