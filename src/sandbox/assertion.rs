//! Private key JWT: an application signs in with an assertion instead of a secret.
//!
//! Facts: auth-and-limits.md of the API facts, section 1, and Auth0's page "Authenticate with Private
//! Key JWT". Part of `oauth`, which names the kinds for it.

use std::collections::HashSet;

use jsonwebtoken::{Algorithm, DecodingKey, TokenData};
use serde_json::Value;

use super::oauth::{CREDENTIALS, DOMAINS, Refused, Used, client, decoded, text, unauthorized};
use super::store::{Object, Store};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Longest life of an assertion, in seconds.
const LIFE: u64 = 300;
/// Skew of clocks that is allowed, in seconds.
const SKEW: u64 = 10;

/// What was sent.
pub(super) struct Assertion<'a> {
    /// `client_assertion`.
    pub(super) text: &'a str,
    /// `client_assertion_type`.
    pub(super) kind: Option<&'a str>,
    /// `client_id`, which may be left out.
    pub(super) client_id: Option<&'a str>,
}

/// Whom an assertion must be for, and when.
pub(super) struct Us<'a> {
    /// The tenant's objects.
    pub(super) store: &'a Store,
    /// Scheme and host that were asked.
    pub(super) origin: &'a str,
    /// Seconds since 1970.
    pub(super) now: u64,
}

fn bad(why: &str) -> Refused {
    // Code documented, words not.
    Refused(401, "invalid_client", format!("Client assertion is not valid: {why}"))
}

/// Checks an assertion signed by the application's key (private key JWT).
pub(super) fn asserted<'a>(us: &Us<'a>, sent: &Assertion, used: &mut Used) -> Result<&'a Object, Refused> {
    let assertion = sent.text;
    if sent.kind != Some(TYPE) {
        return Err(bad("client_assertion_type"));
    }
    if assertion.len() > 2048 {
        return Err(bad("longer than 2048 bytes"));
    }
    let header = jsonwebtoken::decode_header(assertion).map_err(|_| bad("it is no JWT"))?;
    let alg = match header.alg {
        Algorithm::RS256 => "RS256",
        Algorithm::RS384 => "RS384",
        Algorithm::PS256 => "PS256",
        _ => return Err(bad("alg")),
    };
    let claims: Object = jsonwebtoken::dangerous::insecure_decode(assertion)
        .map(|data: TokenData<Object>| data.claims)
        .map_err(|_| bad("its claims are no JSON object"))?;
    let id = text(&claims, "sub").ok_or_else(|| bad("sub"))?;
    if text(&claims, "iss") != Some(id) || sent.client_id.is_some_and(|sent| sent != id) {
        return Err(bad("iss and sub must be the client_id"));
    }
    let client = client(us.store, id).ok_or_else(unauthorized)?;
    let credentials = client
        .get("client_authentication_methods")
        .and_then(|methods| methods.get("private_key_jwt")?.get("credentials")?.as_array());
    let ids: HashSet<&str> =
        credentials.into_iter().flatten().filter_map(|credential| credential.get("id")?.as_str()).collect();
    let is_signed = us.store.objects(CREDENTIALS).any(|credential| {
        text(credential, "id").is_some_and(|id| ids.contains(id))
            && text(credential, "alg").unwrap_or("RS256") == alg
            && header.kid.as_deref().is_none_or(|kid| text(credential, "kid") == Some(kid))
            && text(credential, "pem").is_some_and(|pem| is_signed_by(assertion, pem, header.alg))
    });
    if !is_signed {
        return Err(bad("its signature fits none of the application's credentials"));
    }
    check_claims(us, &claims, used)?;
    Ok(client)
}

fn check_claims(us: &Us, claims: &Object, used: &mut Used) -> Result<(), Refused> {
    let number = |name: &str| claims.get(name).and_then(Value::as_f64).map(seconds);
    let expires = number("exp").ok_or_else(|| bad("exp is missing"))?;
    if expires + SKEW < us.now {
        return Err(bad("it has expired"));
    }
    if expires > us.now + LIFE + SKEW {
        return Err(bad("it lives longer than 5 minutes"));
    }
    if ["iat", "nbf"].iter().any(|name| number(name).is_some_and(|from| from > us.now + SKEW)) {
        return Err(bad("it is from the future"));
    }
    let accepted = |audience: &str| {
        let host = audience.strip_suffix('/').and_then(|rest| rest.split("://").nth(1)).unwrap_or_default();
        let is_custom = us.store.objects(DOMAINS).any(|domain| text(domain, "domain") == Some(host));
        host == us.store.domain() || format!("{}/", us.origin) == audience || is_custom
    };
    let is_for_us = match claims.get("aud") {
        Some(Value::String(audience)) => accepted(audience),
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).any(accepted),
        _ => false,
    };
    if !is_for_us {
        return Err(bad("aud"));
    }
    let jti = text(claims, "jti").filter(|jti| (1..=64).contains(&jti.len()));
    let jti = jti.ok_or_else(|| bad("jti is missing or longer than 64 characters"))?;
    used.retain(|_, until| *until + SKEW >= us.now);
    let key = format!("{} {jti}", text(claims, "sub").unwrap_or_default());
    if used.insert(key, expires).is_some() {
        return Err(bad("jti was used before"));
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times in a token are small and positive")]
fn seconds(number: f64) -> u64 {
    number.max(0.0) as u64
}

fn is_signed_by(token: &str, pem: &str, algorithm: Algorithm) -> bool {
    DecodingKey::from_rsa_pem(pem.as_bytes()).is_ok_and(|key| decoded(token, &key, algorithm).is_some())
}
