//! Large tenants that look like real ones: applications of machines, APIs with scopes, grants.

use serde_json::{Map, Value, json};

use super::random::Kinds;

/// Makes a tenant of so many applications, APIs and grants.
pub(crate) fn large(clients: usize, apis: usize, grants: usize) -> Kinds {
    Kinds::from([
        ("clients", (0..clients).map(client).collect()),
        ("resourceServers", (0..apis).map(api).collect()),
        ("clientGrants", (0..grants).map(|n| grant(n % clients, (n + n / clients) % apis)).collect()),
    ])
}

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("an object is a map: {value}") };
    map
}

fn client(n: usize) -> Map<String, Value> {
    map(json!({
        "name": format!("Worker {n}"),
        "description": "Moves what has come in to where it is needed",
        "app_type": "non_interactive",
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "client_secret_post",
        "client_metadata": { "team": format!("team-{}", n % 7), "cost_center": "4711" },
        "jwt_configuration": { "alg": "RS256", "lifetime_in_seconds": 36000 },
    }))
}

fn identifier(n: usize) -> String {
    format!("https://api{n}.example/")
}

fn api(n: usize) -> Map<String, Value> {
    let things = ["orders", "invoices", "parcels", "customers"];
    let scopes = things.iter().flat_map(|thing| {
        ["read", "write"]
            .map(|verb| json!({ "value": format!("{verb}:{thing}"), "description": format!("{verb} {thing}") }))
    });
    map(json!({
        "identifier": identifier(n),
        "name": format!("API {n}"),
        "scopes": scopes.collect::<Vec<_>>(),
        "signing_alg": "RS256",
        "token_dialect": "rfc9068_profile",
        "token_lifetime": 3600,
    }))
}

fn grant(client: usize, api: usize) -> Map<String, Value> {
    map(json!({
        "client_id": format!("Worker {client}"),
        "audience": identifier(api),
        "scope": ["read:orders", "read:parcels", "write:parcels"],
    }))
}
