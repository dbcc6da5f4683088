//! The token endpoint, discovery, and the check of Management API tokens.
//!
//! This room knows what applications, APIs and grants mean, so it may name kinds; the store may not.
//! Facts and their evidence: auth-and-limits.md of the API facts, sections 1 to 3. Nothing of
//! `/oauth/token` is recorded; what no source says is marked in place.

use std::collections::{HashMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};

use super::assertion::{self, Assertion, Us};
use super::exchange::{Moment, Request, Response};
use super::keys::Keys;
use super::router::{decode, parameters};
use super::store::{Object, Store};
use crate::error::Error;

const CLIENTS: &str = "clients";
const APIS: &str = "resourceServers";
const GRANTS: &str = "clientGrants";
pub(super) const DOMAINS: &str = "customDomains";
pub(super) const CREDENTIALS: &str = "clients/credentials";
const TENANT: &str = "tenant";

/// What was signed in with already: assertions count once.
pub type Used = HashMap<String, u64>;

/// Makes the application that manages the tenant, with a grant of all scopes; gives its id.
///
/// # Errors
/// Says why the declarations do not let it be made.
pub fn plant_manager(store: &mut Store, moment: &mut Moment) -> Result<String, Error> {
    let registry = store.registry();
    let refused = |refusal: Response| {
        Error::new("the sandbox's own application could not be made").because(refusal.body.unwrap_or_default())
    };
    let (Some(clients), Some(grants)) = (registry.get(CLIENTS), registry.get(GRANTS)) else {
        return Err(Error::new("the declarations of applications and grants are missing"));
    };
    let body = json!({
        "name": "tenantctl", "description": "Manages this tenant; made by the sandbox.", "app_type": "non_interactive",
        "grant_types": ["client_credentials"], "token_endpoint_auth_method": "client_secret_post", "oidc_conformant": true,
        "jwt_configuration": {"alg": "RS256", "lifetime_in_seconds": 36000},
    });
    let client = store.make(clients, object(body), moment).map_err(refused)?;
    let audience = management_audience(store);
    let scopes = api(store, &audience).map(scopes_of_api).unwrap_or_default();
    let grant = json!({"client_id": client["client_id"], "audience": audience, "scope": scopes});
    store.make(grants, object(grant), moment).map_err(refused)?;
    Ok(text(&client, "client_id").unwrap_or_default().to_owned())
}

fn object(value: Value) -> Object {
    if let Value::Object(object) = value { object } else { Object::new() }
}

pub(super) fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Value::as_str)
}

/// Finds an application's secret.
#[must_use]
pub fn secret_of(store: &Store, client_id: &str) -> Option<String> {
    client(store, client_id).and_then(|client| text(client, "client_secret")).map(str::to_owned)
}

pub(super) fn client<'a>(store: &'a Store, client_id: &str) -> Option<&'a Object> {
    store.objects(CLIENTS).find(|client| text(client, "client_id") == Some(client_id))
}

fn api<'a>(store: &'a Store, audience: &str) -> Option<&'a Object> {
    store.objects(APIS).find(|api| text(api, "identifier") == Some(audience))
}

fn scopes_of_api(api: &Object) -> Vec<String> {
    let scopes = api.get("scopes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    scopes.iter().filter_map(|scope| scope.get("value")?.as_str().map(str::to_owned)).collect()
}

fn management_audience(store: &Store) -> String {
    format!("https://{}/api/v2/", store.domain())
}

/// The Management API under the names by which a local tenant can be asked: its own, the same without
/// TLS, and the host that was asked.
fn is_management(store: &Store, audience: &str, request: &Request) -> bool {
    let host = request.origin.split("://").nth(1).unwrap_or_default();
    let names = [store.domain(), host];
    let rest = audience.strip_prefix("https://").or_else(|| audience.strip_prefix("http://"));
    rest.and_then(|rest| rest.strip_suffix("/api/v2/")).is_some_and(|name| names.contains(&name))
}

/// A refusal in the shape of the token endpoint.
pub(super) struct Refused(pub(super) u16, pub(super) &'static str, pub(super) String);

impl From<Refused> for Response {
    fn from(Refused(status, error, description): Refused) -> Self {
        let mut body = json!({"error": error, "error_description": description});
        if error == "unauthorized_client" {
            body["error_uri"] = json!("https://auth0.com/docs/clients/client-grant-types");
        }
        Response::read(status, body)
    }
}

pub(super) fn unauthorized() -> Refused {
    Refused(401, "access_denied", "Unauthorized".to_owned())
}

fn missing(name: &str) -> Refused {
    Refused(400, "invalid_request", format!("Missing required parameter: {name}"))
}

/// Answers POST /oauth/token.
#[must_use]
pub fn token(store: &Store, keys: &Keys, used: &mut Used, request: &Request, now: u64, jti: &str) -> Response {
    let grant = Exchange { store, keys, request, now: now / 1000 };
    grant.token(used, jti).unwrap_or_else(Response::from)
}

struct Exchange<'a> {
    store: &'a Store,
    keys: &'a Keys,
    request: &'a Request,
    /// Seconds since 1970.
    now: u64,
}

impl Exchange<'_> {
    fn token(&self, used: &mut Used, jti: &str) -> Result<Response, Refused> {
        let sent = self.parameters()?;
        let get = |name: &str| sent.get(name).map(String::as_str).filter(|value| !value.is_empty());
        let grant_type = get("grant_type").ok_or_else(|| missing("grant_type"))?;
        if grant_type != "client_credentials" {
            // Status documented, words not.
            return Err(Refused(400, "unsupported_grant_type", format!("Unsupported grant type: {grant_type}")));
        }
        let client = self.authenticated(&sent, used)?;
        let may = client.get("grant_types").and_then(Value::as_array);
        if !may.is_some_and(|types| types.iter().any(|name| *name == "client_credentials")) {
            let text = "Grant type 'client_credentials' not allowed for the client.";
            return Err(Refused(403, "unauthorized_client", text.to_owned()));
        }
        let default = self.store.objects(TENANT).find_map(|tenant| text(tenant, "default_audience"));
        let audience = get("audience").or(default.filter(|audience| !audience.is_empty())).ok_or_else(|| {
            // A 403 is reported, the words are not known.
            let text = "No audience parameter was provided, and no default audience has been configured";
            Refused(403, "access_denied", text.to_owned())
        })?;
        let is_management = is_management(self.store, audience, self.request);
        let identifier = if is_management { management_audience(self.store) } else { audience.to_owned() };
        let api = api(self.store, &identifier)
            .ok_or_else(|| Refused(403, "access_denied", format!("Service not enabled within domain: {audience}")))?;
        let grant = self.grant(client, api, &identifier).ok_or_else(|| {
            let text = format!(
                "Client is not authorized to access \"{audience}\". You need to create a \"client-grant\" associated to \
                 this API. See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants"
            );
            Refused(403, "access_denied", text)
        })?;
        if let Some(organization) = get("organization") {
            // The sandbox has no organizations; the words are documented for /authorize only.
            return Err(Refused(403, "access_denied", format!("parameter organization is invalid: {organization}")));
        }
        let scopes: Vec<String> = if grant.get("allow_all_scopes") == Some(&json!(true)) {
            scopes_of_api(api)
        } else {
            let scopes = grant.get("scope").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            scopes.iter().filter_map(|scope| scope.as_str().map(str::to_owned)).collect()
        };
        self.answer(client, api, &identifier, &scopes, jti)
    }

    fn parameters(&self) -> Result<HashMap<String, String>, Refused> {
        if self.request.content_type == "application/json" {
            let body = serde_json::from_slice::<Object>(&self.request.body);
            let body = body.map_err(|_| Refused(400, "invalid_request", "invalid json in request body".to_owned()))?;
            let members = body.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())));
            return Ok(members.collect());
        }
        Ok(parameters(&String::from_utf8_lossy(&self.request.body)).into_iter().collect())
    }

    /// Finds the application that asks, and checks that it is the one.
    fn authenticated(&self, sent: &HashMap<String, String>, used: &mut Used) -> Result<&Object, Refused> {
        let get = |name: &str| sent.get(name).map(String::as_str).filter(|value| !value.is_empty());
        if let Some(assertion) = get("client_assertion") {
            let sent = Assertion { text: assertion, kind: get("client_assertion_type"), client_id: get("client_id") };
            let us = Us { store: self.store, origin: &self.request.origin, now: self.now };
            return assertion::asserted(&us, &sent, used);
        }
        let basic = self.request.authorization.as_deref().and_then(|header| header.strip_prefix("Basic "));
        let basic = basic.and_then(|code| String::from_utf8(STANDARD.decode(code.trim()).ok()?).ok());
        let basic =
            basic.as_deref().and_then(|pair| pair.split_once(':')).map(|(id, secret)| (decode(id), decode(secret)));
        let (id, secret) = match &basic {
            Some((id, secret)) => (id.as_str(), Some(secret.as_str())),
            None => (get("client_id").ok_or_else(|| missing("client_id"))?, get("client_secret")),
        };
        let client = client(self.store, id).ok_or_else(unauthorized)?;
        let is_by_key = client.get("client_authentication_methods").is_some_and(|methods| !methods.is_null());
        let is_place_right = match text(client, "token_endpoint_auth_method") {
            Some("client_secret_post") => basic.is_none(),
            Some("client_secret_basic") => basic.is_some(),
            Some(_) => false,
            None => true,
        };
        let is_secret_right = secret.is_some() && secret == text(client, "client_secret");
        if is_by_key || !is_place_right || !is_secret_right {
            return Err(unauthorized());
        }
        Ok(client)
    }

    /// Finds the grant that counts: the application's own, or the default of third-party applications,
    /// which never opens a system API.
    fn grant(&self, client: &Object, api: &Object, audience: &str) -> Option<&Object> {
        let policy = api.get("subject_type_authorization").and_then(|all| all.get("client")?.get("policy")?.as_str());
        if policy == Some("deny_all") {
            return None;
        }
        let fits = |grant: &&Object| {
            text(grant, "audience") == Some(audience) && text(grant, "subject_type").unwrap_or("client") == "client"
        };
        let id = text(client, "client_id");
        let own = self.store.objects(GRANTS).filter(fits).find(|grant| id.is_some() && text(grant, "client_id") == id);
        let is_third_party = client.get("is_first_party") == Some(&json!(false));
        let is_system = api.get("is_system") == Some(&json!(true));
        own.or_else(|| {
            let mut defaults = self.store.objects(GRANTS).filter(fits);
            defaults
                .find(|grant| is_third_party && !is_system && text(grant, "default_for") == Some("third_party_clients"))
        })
    }

    fn answer(
        &self,
        client: &Object,
        api: &Object,
        audience: &str,
        scopes: &[String],
        jti: &str,
    ) -> Result<Response, Refused> {
        let lifetime = api.get("token_lifetime").and_then(Value::as_u64).unwrap_or(86400);
        let id = text(client, "client_id").unwrap_or_default();
        let dialect = text(api, "token_dialect").unwrap_or("access_token");
        let is_rfc9068 = dialect.starts_with("rfc9068_profile");
        let mut claims = json!({
            "iss": format!("{}/", self.request.origin), "sub": format!("{id}@clients"), "aud": audience,
            "iat": self.now, "exp": self.now + lifetime,
        });
        if !scopes.is_empty() {
            claims["scope"] = json!(scopes.join(" "));
        }
        if is_rfc9068 {
            claims["jti"] = json!(jti);
            claims["client_id"] = json!(id);
        } else {
            claims["gty"] = json!("client-credentials");
            claims["azp"] = json!(id);
        }
        if dialect.ends_with("_authz") && api.get("enforce_policies") == Some(&json!(true)) {
            claims["permissions"] = json!(scopes);
        }
        let (algorithm, secret) = match text(api, "signing_alg") {
            Some("HS256") => (Algorithm::HS256, text(api, "signing_secret")),
            Some("PS256") => (Algorithm::PS256, None),
            Some("RS512") => (Algorithm::RS512, None),
            _ => (Algorithm::RS256, None),
        };
        let mut header = Header::new(algorithm);
        header.typ = Some(if is_rfc9068 { "at+jwt" } else { "JWT" }.to_owned());
        let token = if let Some(secret) = secret {
            jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret.as_bytes()))
        } else {
            header.kid = Some(self.keys.kid().to_owned());
            jsonwebtoken::encode(&header, &claims, self.keys.signing())
        };
        let token = token.map_err(|error| Refused(500, "server_error", error.to_string()))?;
        let mut body = json!({"access_token": token, "expires_in": lifetime, "token_type": "Bearer"});
        if !scopes.is_empty() {
            body["scope"] = json!(scopes.join(" "));
        }
        let headers = vec![("cache-control", "no-store".to_owned()), ("pragma", "no-cache".to_owned())];
        Ok(Response { headers, ..Response::read(200, body) })
    }
}

/// Checks the signature alone; times and audience are checked with the clock that was passed in.
pub(super) fn decoded(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Option<Object> {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.set_required_spec_claims::<&str>(&[]);
    jsonwebtoken::decode::<Object>(token, key, &validation).ok().map(|data| data.claims)
}

/// Checks the token of a Management API request and gives its scopes.
///
/// # Errors
/// Refuses with 401; the words "Invalid token" are known from clients' sources, the others not.
pub fn scopes(store: &Store, keys: &Keys, request: &Request, now: u64) -> Result<HashSet<String>, Response> {
    let header = request.authorization.as_deref().unwrap_or_default();
    let token =
        header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token);
    let Some(token) = token.map(str::trim).filter(|token| !token.is_empty()) else {
        return Err(Response::unauthorized("Missing authentication"));
    };
    let invalid = || Response::unauthorized("Invalid token");
    let algorithm = jsonwebtoken::decode_header(token).map_err(|_| invalid())?.alg;
    if !matches!(algorithm, Algorithm::RS256 | Algorithm::PS256 | Algorithm::RS512) {
        return Err(invalid());
    }
    let claims = decoded(token, keys.verifying(), algorithm)
        .ok_or_else(|| Response::unauthorized("Invalid signature received for JSON Web Token validation"))?;
    if claims.get("exp").and_then(Value::as_u64).is_none_or(|expires| expires <= now / 1000) {
        return Err(Response::unauthorized("Expired token received for JSON Web Token validation"));
    }
    let audience = text(&claims, "aud").unwrap_or_default();
    if !is_management(store, audience, request) {
        return Err(Response::unauthorized(&format!("Bad audience: {audience}")));
    }
    Ok(text(&claims, "scope").unwrap_or_default().split(' ').map(str::to_owned).collect())
}

/// Gives the document of `/.well-known/openid-configuration` for the host that was asked.
#[must_use]
pub fn discovery(origin: &str) -> Value {
    json!({
        "issuer": format!("{origin}/"),
        "authorization_endpoint": format!("{origin}/authorize"),
        "token_endpoint": format!("{origin}/oauth/token"),
        "device_authorization_endpoint": format!("{origin}/oauth/device/code"),
        "userinfo_endpoint": format!("{origin}/userinfo"),
        "mfa_challenge_endpoint": format!("{origin}/mfa/challenge"),
        "jwks_uri": format!("{origin}/.well-known/jwks.json"),
        "registration_endpoint": format!("{origin}/oidc/register"),
        "revocation_endpoint": format!("{origin}/oauth/revoke"),
        "scopes_supported": ["openid", "profile", "offline_access", "email", "address", "phone"],
        "response_types_supported": ["code", "token", "id_token", "code token", "code id_token", "token id_token", "code token id_token"],
        "code_challenge_methods_supported": ["S256", "plain"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["HS256", "RS256", "PS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256", "RS384", "PS256"],
        "claims_supported": ["aud", "exp", "iat", "iss", "sub"],
        "request_uri_parameter_supported": false,
        "request_parameter_supported": false,
    })
}
