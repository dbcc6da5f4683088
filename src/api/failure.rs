//! What an API call that failed says to a person, and what it means for the one who made it.
//!
//! Pure: status and body in, [`Failure`] out. It knows no secrets; the client passes every text
//! through `Secrets::hide` before it leaves the room.

use std::fmt;

use serde_json::Value;

use crate::error::Error;
use crate::kinds::kind::Entitlement;

/// What a failed call means for the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The API answered, and refused.
    Refused,
    /// The request had no effect: it never left us, or was turned away by a limit.
    NotDone,
    /// The request was sent and it is not known whether it had its effect.
    Unknown,
}

/// A call that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The call, such as `PATCH /clients/abc`.
    pub call: Box<str>,
    /// What it means.
    pub cause: Cause,
    /// The status of the last answer, if there was one.
    pub status: Option<u16>,
    /// The API's code, such as `insufficient_scope`.
    pub code: Option<Box<str>>,
    /// What happened, with the API's own message.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to do.
    pub hint: Option<Box<str>>,
    /// How the API names the request, for its own people.
    pub request_id: Option<Box<str>>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.message)?;
        self.request_id.iter().try_for_each(|id| write!(f, " (request {id})"))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let error = Self::new(failure.to_string());
        Self { causes: failure.causes, hint: failure.hint.map(String::from), ..error }
    }
}

impl Failure {
    /// Makes a failure of which nothing is known but what happened.
    #[must_use]
    pub fn new(call: &str, cause: Cause, message: impl Into<String>) -> Self {
        Self {
            call: call.into(),
            cause,
            status: None,
            code: None,
            message: message.into(),
            causes: Vec::new(),
            hint: None,
            request_id: None,
        }
    }

    /// Adds a cause, the outermost first.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into().into());
        self
    }

    /// Makes the failure of a call to the Management API from its answer.
    #[must_use]
    pub fn answered(call: &str, status: u16, body: &Body) -> Self {
        let said = match body {
            Body::Json(body) => said(body),
            Body::Text(text) => return Self::not_the_api(call, status, text),
            Body::Empty => Said::default(),
        };
        let code = said.code.as_ref().map_or_else(String::new, |code| format!(" ({code})"));
        let message = said.message.as_deref().unwrap_or("the answer does not say why");
        let failure = Self {
            status: Some(status),
            ..Self::new(call, cause_of(status), format!("the API answered {status}{code}: {message}"))
        };
        let hint = hint(status, &said).map(String::into_boxed_str);
        Self { code: said.code.map(String::into_boxed_str), hint, ..failure }
    }

    /// Makes the failure of a request for a token from its answer.
    #[must_use]
    pub fn token(status: u16, body: &Body, domain: &str, audience: &str) -> Self {
        let mut failure = Self::answered(TOKEN, status, body);
        if let Body::Json(body) = body {
            failure.message = failure.message.replacen("the API", "the tenant", 1);
            failure.hint = token_hint(status, &said(body), domain, audience).map(Into::into).or(failure.hint);
        }
        failure
    }

    /// Makes the failure of an answer that is no JSON.
    #[must_use]
    pub fn not_the_api(call: &str, status: u16, text: &str) -> Self {
        let is_cut = text.trim_start().starts_with(['{', '[']);
        let what = match text {
            text if looks_like_html(text) => "an HTML page",
            _ if is_cut => "JSON that breaks off",
            _ => "something that is not JSON",
        };
        let cause = if status < 400 { Cause::Unknown } else { cause_of(status) };
        let failure = Self::new(call, cause, format!("the answer {status} is {what}"));
        let failure = Self { status: Some(status), ..failure };
        match status {
            500.. => failure.hint("the tenant, or a proxy before it, is in trouble: try again later"),
            _ if is_cut => failure.hint("the tenant, or a proxy before it, is in trouble: try again later"),
            _ => failure.hint(
                "this does not look like an Auth0 tenant: check the tenant's domain, and the proxy if there is one",
            ),
        }
    }

    /// Names the scope that is missing, where that is why the API refused.
    #[must_use]
    pub fn missing_scope(&self) -> Option<&str> {
        (self.code.as_deref() == Some("insufficient_scope"))
            .then(|| self.message.rsplit_once("expected any of: ").map(|(_, scopes)| scopes))
            .flatten()
    }

    /// Tells whether the tenant's plan lacks a feature. `entitlement` is how the API says so of what was
    /// asked for, beside the codes that say it of anything: insufficient_entitlement is recorded, and
    /// feature_not_enabled and 402 are what the Deploy CLI and its issues know.
    #[must_use]
    pub fn lacks_feature(&self, entitlement: Option<&Entitlement>) -> bool {
        let Some(status) = self.status.filter(|_| self.missing_scope().is_none()) else { return false };
        let code = self.code.as_deref();
        status == 402
            || (status == 403 && code.is_some_and(|code| FEATURE_CODES.contains(&code)))
            || entitlement.is_some_and(|it| it.is_lacking(status, code, &self.message))
    }
}

/// The codes by which the API says that the plan lacks a feature.
const FEATURE_CODES: [&str; 2] = ["insufficient_entitlement", "feature_not_enabled"];

/// How the request for a token is named.
pub const TOKEN: &str = "POST /oauth/token";

/// The body of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// There is none.
    Empty,
    /// JSON.
    Json(Value),
    /// Something else.
    Text(String),
}

/// Tells whether a text is a web page.
fn looks_like_html(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

fn cause_of(status: u16) -> Cause {
    match status {
        429 => Cause::NotDone,
        408 | 500.. => Cause::Unknown,
        _ => Cause::Refused,
    }
}

#[derive(Debug, Default)]
struct Said {
    code: Option<String>,
    message: Option<String>,
}

/// Reads an error's body: `{statusCode, error, message, errorCode}` of the Management API, or
/// `{error, error_description}` of the token endpoint (auth-and-limits.md of the API facts, 2 and 5).
fn said(body: &Value) -> Said {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let is_oauth = body.get("statusCode").is_none() && body.get("message").is_none();
    if is_oauth {
        return Said { code: text("error"), message: text("error_description").or_else(|| text("error")) };
    }
    Said { code: text("errorCode"), message: text("message").or_else(|| text("error")) }
}

fn hint(status: u16, said: &Said) -> Option<String> {
    let message = said.message.as_deref().unwrap_or_default();
    let scope = message.rsplit_once("expected any of: ").map(|(_, scopes)| scopes.replace(',', " or "));
    let hint = match (status, said.code.as_deref()) {
        (401, _) => {
            "the access token is not valid for this tenant, or has expired: get a new one, or sign in with \
             an application's id and secret"
        }
        (403, Some("insufficient_scope")) => match scope {
            Some(scope) => {
                return Some(format!(
                    "add {scope} to the grant that tenantctl's application has for the Management API, and get a new \
                     token"
                ));
            }
            // Recorded for supplemental signals: no scope is named, and it is the plan that lacks something.
            None => "it names no scope: the tenant's plan may lack the feature",
        },
        (402, _) => "the tenant's plan does not have this feature: leave it out",
        (403, Some(code)) if FEATURE_CODES.contains(&code) => {
            "the tenant's plan does not have this feature: leave it out"
        }
        (403, _) if message.contains("limit of entities") => {
            "the tenant has as many of these as its plan allows: delete some, or change the plan"
        }
        (404, _) => "the object is gone since it was read: run plan again",
        (409, _) => "another object has this name already, or it was made at the same time: run plan again",
        (429, _) => "the tenant's rate limit is used up, also by others: try again later, or with fewer at a time",
        (500.., _) => "the tenant is in trouble: try again later",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// Gives what helps against a refusal of the token endpoint (auth-and-limits.md of the API facts,
/// section 2, with the texts that are known).
fn token_hint(status: u16, said: &Said, domain: &str, audience: &str) -> Option<String> {
    let message = said.message.as_deref().unwrap_or_default();
    let hint = match (status, said.code.as_deref()) {
        (429, _) => return None,
        (_, Some("unauthorized_client")) if message.contains("Grant type") => {
            "the application must be allowed the grant type client_credentials".to_owned()
        }
        (403, _) if message.contains("Service not enabled") => format!(
            "the tenant has no API `{audience}`: the tenant must be named by its own domain, not by a custom domain"
        ),
        (403, _) if message.contains("client-grant") || message.contains("not authorized to access") => {
            format!("the application needs a grant for the API `{audience}` with the scopes that tenantctl uses")
        }
        (401, _) | (403, Some("access_denied" | "invalid_client")) => format!(
            "check client id and secret (or key), that they belong to the tenant `{domain}`, and how the application \
             authenticates"
        ),
        _ => return None,
    };
    Some(hint)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Body, Cause, Failure};

    fn body(value: &Value) -> Body {
        Body::Json(value.clone())
    }

    #[test]
    fn a_refusal_names_the_call_and_quotes_the_api() {
        let failure = Failure::answered(
            "PATCH /clients/abc",
            400,
            &body(&json!({"statusCode": 400, "error": "Bad Request", "errorCode": "invalid_body", "message": "no"})),
        );
        assert_eq!(failure.to_string(), "PATCH /clients/abc: the API answered 400 (invalid_body): no");
        assert_eq!((failure.cause, &failure.hint), (Cause::Refused, &None));
        let named = Failure { request_id: Some("8f1c".into()), ..failure };
        assert_eq!(named.to_string(), "PATCH /clients/abc: the API answered 400 (invalid_body): no (request 8f1c)");
    }

    #[test]
    fn a_missing_scope_is_named() {
        let failure = Failure::answered(
            "GET /clients",
            403,
            &body(&json!({"statusCode": 403, "error": "Forbidden", "errorCode": "insufficient_scope",
                "message": "Insufficient scope, expected any of: read:clients,read:client_keys"})),
        );
        assert_eq!(failure.missing_scope(), Some("read:clients,read:client_keys"));
        assert!(failure.hint.unwrap().contains("add read:clients or read:client_keys to the grant"));
    }

    #[test]
    fn what_the_plan_lacks_is_told_by_code_and_never_where_a_scope_is_named() {
        let signals = json!({ "feature": "signals", "refusals": [
            { "status": 403, "code": "insufficient_scope", "message": "upgrade your subscription" },
        ]});
        let domains = json!({ "feature": "domains", "refusals": [{ "status": 403, "message": "not allowed" }] });
        let lists = json!({ "feature": "lists", "refusals": [{ "status": 403 }] });
        let themes = json!({ "feature": "themes", "refusals": [{ "status": 400, "code": "no_themes" }] });
        let upgrade = "Please upgrade your subscription to enable Akamai Signals.";
        let named = "Insufficient scope, expected any of: read:lists";
        let scope = Some("insufficient_scope");
        for (entitlement, status, code, message, expected) in [
            (None, 403, Some("insufficient_entitlement"), upgrade, true),
            (None, 403, Some("feature_not_enabled"), "", true),
            (None, 402, None, "", true),
            (None, 403, None, upgrade, false),
            (None, 403, scope, upgrade, false),
            (None, 404, None, "Not Found", false),
            (Some(&signals), 403, scope, upgrade, true),
            (Some(&signals), 403, None, upgrade, false),
            (Some(&signals), 403, scope, named, false),
            (Some(&domains), 403, None, "The account is not allowed to", true),
            (Some(&domains), 403, Some("access_denied"), "The account is not allowed to", false),
            (Some(&domains), 403, None, "Forbidden", false),
            (Some(&lists), 403, None, "Forbidden", true),
            (Some(&lists), 403, scope, named, false),
            (Some(&lists), 404, None, "Not Found", false),
            (Some(&themes), 400, Some("no_themes"), "", true),
            (Some(&themes), 400, Some("invalid_body"), "", false),
        ] {
            let answer = json!({ "statusCode": status, "errorCode": code, "message": message });
            let entitlement = entitlement.map(|value| serde_json::from_value(value.clone()).unwrap());
            let failure = Failure::answered("GET /things", status, &body(&answer));
            assert_eq!(failure.lacks_feature(entitlement.as_ref()), expected, "{status} {code:?} {message}");
        }
    }

    #[test]
    fn a_page_of_html_is_not_an_auth0_tenant() {
        let failure = Failure::answered("GET /clients", 200, &Body::Text("<!doctype html>".to_owned()));
        let cut = Failure::not_the_api("GET /clients", 200, "{\"clients\": [{\"na");
        assert_eq!(cut.to_string(), "GET /clients: the answer 200 is JSON that breaks off");
        assert_eq!(failure.to_string(), "GET /clients: the answer 200 is an HTML page");
        assert!(failure.hint.unwrap().contains("does not look like an Auth0 tenant"));
    }

    #[test]
    fn what_an_answer_means_for_the_tenant_follows_its_status() {
        let cases = [
            (400, Cause::Refused),
            (409, Cause::Refused),
            (408, Cause::Unknown),
            (429, Cause::NotDone),
            (500, Cause::Unknown),
            (503, Cause::Unknown),
        ];
        for (status, cause) in cases {
            assert_eq!(Failure::answered("POST /clients", status, &Body::Empty).cause, cause, "{status}");
        }
    }

    #[test]
    fn refusals_of_the_token_endpoint_say_what_to_check() {
        let cases = [
            (401, json!({"error": "access_denied", "error_description": "Unauthorized"}), "check client id and secret"),
            (
                403,
                json!({"error": "access_denied", "error_description": "Service not enabled within domain: x"}),
                "own domain, not by a custom domain",
            ),
            (
                403,
                json!({"error": "access_denied", "error_description":
                    "Client is not authorized to access \"x\". You need to create a \"client-grant\" ..."}),
                "needs a grant for the API",
            ),
            (
                403,
                json!({"error": "unauthorized_client", "error_description":
                    "Grant type 'client_credentials' not allowed for the client."}),
                "must be allowed the grant type",
            ),
        ];
        for (status, answer, hint) in cases {
            let failure = Failure::token(status, &body(&answer), "x.auth0.com", "https://x.auth0.com/api/v2/");
            assert!(failure.hint.as_ref().unwrap().contains(hint), "{failure:?}");
            assert!(failure.message.contains(answer["error_description"].as_str().unwrap()));
        }
    }
}
