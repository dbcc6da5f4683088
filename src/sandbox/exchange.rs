//! A request and its answer as values, and the refusals of the API.
//!
//! Pure: it knows nothing of sockets and nothing of kinds. `http` makes a request from the wire,
//! `operations` answers it, `http` writes the answer. Wordings that no recording shows are those of the
//! validator that the recorded ones come from, or of the documentation; each says so.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::kinds::kind::Method;
use crate::kinds::server::Refusal;

/// A request as it came in.
#[derive(Clone)]
pub struct Request {
    /// HTTP method.
    pub method: Method,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query's parameters, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Content-Type, without parameters, in lower case.
    pub content_type: String,
    /// Authorization.
    pub authorization: Option<String>,
    /// Scheme, host and port that were asked, such as `http://127.0.0.1:8080`.
    pub origin: String,
    /// The body; empty for none.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Request {
    /// Bodies, queries and headers hold secrets, so none is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("method", &self.method).field("path", &self.path).finish_non_exhaustive()
    }
}

impl Request {
    /// Finds the first query parameter of a name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Reads the body as a JSON object; an empty body counts as an empty object.
    ///
    /// # Errors
    /// Gives the API's refusal of anything else.
    pub fn object(&self) -> Result<Map<String, Value>, Response> {
        match self.json()? {
            None => Ok(Map::new()),
            Some(Value::Object(body)) => Ok(body),
            Some(other) => Err(Response::invalid_body(&format!(
                "Payload validation error: 'Expected type object but found type {}'.",
                type_name(&other)
            ))),
        }
    }

    /// Reads the body as JSON; none where it is empty.
    ///
    /// # Errors
    /// Gives the API's refusal of what is no JSON.
    pub fn json(&self) -> Result<Option<Value>, Response> {
        if self.body.is_empty() {
            return Ok(None);
        }
        // Not recorded: the words are those of the API's web framework (hapi).
        let refused = |_| Response::refused(400, "Bad Request", None, "Invalid request payload JSON format");
        serde_json::from_slice(&self.body).map(Some).map_err(refused)
    }
}

/// Names the type of a JSON value as the API's validator does.
#[must_use]
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// An answer.
#[derive(Clone, PartialEq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// JSON body; none at all for 204.
    pub body: Option<Value>,
    /// Headers beside Content-Type.
    pub headers: Vec<(&'static str, String)>,
    /// The request changed what must be kept.
    pub is_write: bool,
}

impl std::fmt::Debug for Response {
    /// Bodies hold secrets, so none is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

impl Response {
    /// Makes an answer that changed nothing.
    #[must_use]
    pub fn read(status: u16, body: Value) -> Self {
        Self { status, body: Some(body), headers: Vec::new(), is_write: false }
    }

    /// Makes an answer to a write.
    #[must_use]
    pub fn written(status: u16, body: Option<Value>) -> Self {
        Self { status, body, headers: Vec::new(), is_write: true }
    }

    /// Makes a refusal (recorded shape: errors.json of the API facts).
    #[must_use]
    pub fn refused(status: u16, error: &str, code: Option<&str>, message: &str) -> Self {
        let mut body = Map::new();
        body.insert("statusCode".to_owned(), json!(status));
        body.insert("error".to_owned(), json!(error));
        body.insert("message".to_owned(), json!(message));
        if let Some(code) = code {
            body.insert("errorCode".to_owned(), json!(code));
        }
        Self::read(status, Value::Object(body))
    }

    /// Makes the refusal of a body.
    #[must_use]
    pub fn invalid_body(message: &str) -> Self {
        Self::refused(400, "Bad Request", Some("invalid_body"), message)
    }

    /// Makes the refusal of a query (code from clients' sources, not recorded).
    #[must_use]
    pub fn invalid_query(message: &str) -> Self {
        Self::refused(400, "Bad Request", Some("invalid_query_string"), message)
    }

    /// Makes the answer to an unknown path.
    #[must_use]
    pub fn not_found() -> Self {
        Self::refused(404, "Not Found", None, "Not Found")
    }

    /// Makes a refusal that a declaration words.
    #[must_use]
    pub fn declared(status: u16, refusal: &Refusal) -> Self {
        let error = match status {
            400 => "Bad Request",
            403 => "Forbidden",
            404 => "Not Found",
            409 => "Conflict",
            412 => "Precondition Failed",
            _ => "Error",
        };
        let message = if refusal.message.is_empty() { error } else { &refusal.message };
        Self::refused(status, error, refusal.code.as_deref(), message)
    }

    /// Makes the refusal for want of a scope (recorded text and code).
    #[must_use]
    pub fn insufficient_scope(wanted: &[String]) -> Self {
        let message = format!("Insufficient scope, expected any of: {}", wanted.join(","));
        Self::refused(403, "Forbidden", Some("insufficient_scope"), &message)
    }

    /// Makes the refusal of a token (shape from clients' sources, not recorded).
    #[must_use]
    pub fn unauthorized(message: &str) -> Self {
        let body =
            json!({"statusCode": 401, "error": "Unauthorized", "message": message, "attributes": {"error": message}});
        Self { headers: vec![("www-authenticate", format!("Bearer error=\"{message}\""))], ..Self::read(401, body) }
    }
}

/// What a request happens in: the clock, randomness, the tenant's domain and name, and what the token may do.
pub struct Moment<'a> {
    /// Milliseconds since 1970.
    pub now: u64,
    /// Fills a buffer with random bytes.
    pub rng: &'a mut dyn FnMut(&mut [u8]),
    /// The scopes of the token.
    pub scopes: HashSet<String>,
    /// The tenant's domain.
    pub domain: String,
    /// The tenant's name, where it is not the first label of its domain.
    pub tenant_name: Option<&'a str>,
}

impl std::fmt::Debug for Moment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moment").field("now", &self.now).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

impl Moment<'_> {
    /// Tells whether the token has one of these scopes; yes if none is asked.
    #[must_use]
    pub fn may(&self, scopes: &[String]) -> bool {
        scopes.is_empty() || scopes.iter().any(|scope| self.scopes.contains(scope))
    }

    /// Writes the time as the API does: `2026-08-10T13:55:22.110Z`.
    #[must_use]
    pub fn timestamp(&self) -> String {
        timestamp(self.now)
    }
}

/// Writes milliseconds since 1970 as an instant in UTC (days to a date after the proleptic
/// Gregorian calendar's 400-year cycle of 146,097 days).
#[must_use]
pub fn timestamp(millis: u64) -> String {
    let (days, rest) = (millis / 86_400_000, millis % 86_400_000);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", rest % 1000)
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn instants_are_written_as_the_api_does() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(1_709_164_799_999), "2024-02-28T23:59:59.999Z");
        assert_eq!(timestamp(1_709_164_800_000), "2024-02-29T00:00:00.000Z");
        assert_eq!(timestamp(1_786_370_122_110), "2026-08-10T13:55:22.110Z");
    }
}
