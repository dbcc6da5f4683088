//! From method and path to the operation that is meant, out of the declarations.
//!
//! Pure; it names no path itself. `operations` carries it out. Where several templates fit,
//! the one with the fewest variables counts, so `/custom-domains/default` is not a domain's handle.

use std::collections::{BTreeMap, BTreeSet};

use super::elements;
use crate::kinds::Registry;
use crate::kinds::kind::{ChildCall, Condition, Endpoint, Field, Kind, List, Method, Type};
use crate::kinds::server::Action;

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub enum Operation<'r> {
    /// Read all that fit.
    List(&'r List, &'r Condition),
    /// Read one.
    Get,
    /// Make one.
    Create,
    /// Change one.
    Update,
    /// Replace one whole.
    Replace,
    /// Delete one.
    Delete,
    /// Do something else, as declared.
    Action(&'r Action),
    /// Write elements of a field.
    Elements(&'r Field),
}

/// An operation found by path.
#[derive(Debug, Clone)]
pub struct Route<'r> {
    /// The kind that it is about.
    pub kind: &'r Kind,
    /// The kind below which that lives.
    pub parent: Option<&'r Kind>,
    /// The kind below which the parent lives.
    pub above: Option<&'r Kind>,
    /// What is to be done.
    pub operation: Operation<'r>,
    /// Any one of these scopes is enough.
    pub scopes: &'r [String],
    /// The rate limit that it counts against, if it has one of its own.
    pub bucket: Option<&'r str>,
    /// The values of the path's variables, decoded.
    pub variables: Vec<String>,
}

impl<'r> Route<'r> {
    /// Gives the member of an answer that holds the items of a list, if their order says nothing.
    #[must_use]
    pub fn unordered_items(&self) -> Option<&'r str> {
        let Operation::List(list, _) = self.operation else { return None };
        let is_element = |field: &&Field| field.server.element.as_ref().is_some_and(|it| it.name == self.kind.name);
        let field = self.parent.and_then(|parent| parent.fields.iter().find(is_element));
        field.is_none_or(|field| field.holds != Type::List).then_some(&list.items)
    }
}

/// Finds the operation of a path below `/api/v2`.
#[must_use]
pub fn route<'r>(registry: &'r Registry, method: Method, path: &str) -> Option<Route<'r>> {
    let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let mut found = Vec::new();
    visit_all(registry, &mut |line, door, operation| found.extend(at(line, door, operation, method, &segments)));
    found.into_iter().min_by_key(|route| route.variables.len())
}

/// Names the rate limits that operations have of their own, in alphabetical order.
#[must_use]
pub fn buckets(registry: &Registry) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    visit_all(registry, &mut |_, door, _| names.extend(door.bucket));
    names
}

/// Is shown a way to an operation: the kinds that live one below the other, and what is done with the last of them.
type Visit<'v, 'r> = &'v mut dyn FnMut(&[&'r Kind], Door<'r>, Operation<'r>);

fn visit_all<'r>(registry: &'r Registry, visit: Visit<'_, 'r>) {
    for kind in registry.iter().filter(|kind| kind.server.served_by.is_none()) {
        for kind in std::iter::once(kind).chain(&kind.server.beside) {
            visit_kind(&[kind], visit);
        }
    }
}

/// Shows the operations of a kind: the last of those that live one below the other.
fn visit_kind<'r>(line: &[&'r Kind], visit: Visit<'_, 'r>) {
    static ALL: Condition = Condition(BTreeMap::new());
    let Some(kind) = line.last() else { return };
    let endpoints = [
        (&kind.get, Operation::Get),
        (&kind.create, Operation::Create),
        (&kind.update, Operation::Update),
        (&kind.server.replace, Operation::Replace),
        (&kind.delete, Operation::Delete),
    ];
    let endpoints =
        endpoints.into_iter().filter_map(|(endpoint, operation)| Some((endpoint.as_ref()?.into(), operation)));
    let lists = kind.list.iter().map(|list| (list.into(), Operation::List(list, &ALL)));
    let actions = kind.server.actions.iter().map(|action| (action.into(), Operation::Action(action)));
    for (door, operation) in lists.chain(endpoints).chain(actions) {
        visit(line, door, operation);
    }
    for child in &kind.server.children {
        visit_kind(&[line, &[child]].concat(), visit);
    }
    for field in kind.fields.iter().chain(&kind.server.fields) {
        let Some(element) = field.server.element.as_deref() else { continue };
        let line = [line, &[element]].concat();
        for (door, operation) in doors_of(field) {
            visit(&line, door, operation);
        }
        visit_kind(&line, visit);
    }
}

/// Goes through the doors to the elements of a field, beside their list.
fn doors_of(field: &Field) -> impl Iterator<Item = (Door<'_>, Operation<'_>)> {
    let also = &field.server.also;
    let lists = also.iter().filter_map(|also| Some((also.list.as_ref()?, &also.only)));
    let lists = lists.map(|(list, only)| (list.into(), Operation::List(list, only)));
    let gets = also.iter().filter_map(|also| also.get.as_ref());
    let calls = elements::calls(field).map(move |call| (call.into(), Operation::Elements(field)));
    lists.chain(gets.map(|get| (get.into(), Operation::Get))).chain(calls)
}

fn at<'r>(
    line: &[&'r Kind],
    door: Door<'r>,
    operation: Operation<'r>,
    method: Method,
    segments: &[&str],
) -> Option<Route<'r>> {
    let variables = fit(door.path, segments).filter(|_| door.method == method)?;
    let mut line = line.iter().rev().copied();
    let (kind, parent, above) = (line.next()?, line.next(), line.next());
    Some(Route { kind, parent, above, operation, scopes: door.scopes, bucket: door.bucket, variables })
}

/// How an operation is reached.
#[derive(Clone, Copy)]
struct Door<'r> {
    method: Method,
    path: &'r str,
    scopes: &'r [String],
    bucket: Option<&'r str>,
}

impl<'r> From<&'r List> for Door<'r> {
    fn from(list: &'r List) -> Self {
        Self { method: Method::Get, path: &list.path, scopes: &list.scopes, bucket: list.bucket.as_deref() }
    }
}

impl<'r> From<&'r Endpoint> for Door<'r> {
    fn from(endpoint: &'r Endpoint) -> Self {
        Self {
            method: endpoint.method,
            path: &endpoint.path,
            scopes: &endpoint.scopes,
            bucket: endpoint.bucket.as_deref(),
        }
    }
}

impl<'r> From<&'r Action> for Door<'r> {
    fn from(action: &'r Action) -> Self {
        Self { method: action.method, path: &action.path, scopes: &action.scopes, bucket: None }
    }
}

impl<'r> From<&'r ChildCall> for Door<'r> {
    fn from(call: &'r ChildCall) -> Self {
        Self { method: call.method, path: &call.path, scopes: &call.scopes, bucket: call.bucket.as_deref() }
    }
}

fn fit(template: &str, segments: &[&str]) -> Option<Vec<String>> {
    let parts: Vec<&str> = template.trim_start_matches('/').split('/').collect();
    if parts.len() != segments.len() {
        return None;
    }
    let mut variables = Vec::new();
    for (part, segment) in parts.iter().zip(segments) {
        if part.starts_with('{') && !segment.is_empty() {
            variables.push(decode(segment));
        } else if part != segment {
            return None;
        }
    }
    Some(variables)
}

/// Decodes `%2F` and the like; what is not an encoding stays as it is.
#[must_use]
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            decoded.push(byte);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Decodes a query or a form: parameters in order, `+` as a blank.
#[must_use]
pub fn parameters(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Operation, buckets, decode, parameters, route};
    use crate::kinds::Registry;
    use crate::kinds::kind::Method;

    #[test]
    fn a_literal_segment_wins_over_a_variable() {
        let found = route(Registry::builtin(), Method::Get, "/custom-domains/default").unwrap();
        assert!(matches!(found.operation, Operation::Action(_)));
        let found = route(Registry::builtin(), Method::Get, "/custom-domains/cd_1").unwrap();
        assert!(matches!(found.operation, Operation::Get));
        assert_eq!(found.variables, ["cd_1"]);
    }

    #[test]
    fn an_unknown_path_or_method_has_no_route() {
        assert!(route(Registry::builtin(), Method::Get, "/nothing").is_none());
        assert!(route(Registry::builtin(), Method::Put, "/clients/abc").is_none());
        for path in ["", "/", "clients", "/clients/", "/clients//credentials"] {
            assert!(route(Registry::builtin(), Method::Get, path).is_none(), "{path}");
        }
    }

    #[test]
    fn operations_count_against_the_limits_that_are_declared() {
        let bucket = |method, path| route(Registry::builtin(), method, path).unwrap().bucket;
        assert_eq!(bucket(Method::Get, "/roles"), None);
        assert_eq!(bucket(Method::Get, "/connections"), Some("read connections"));
        assert_eq!(bucket(Method::Patch, "/email-templates/verify_email"), Some("write email-templates"));
        assert_eq!(bucket(Method::Post, "/organizations/a/connections"), Some("write organization-connections"));
        let known = buckets(Registry::builtin());
        assert!(known.contains("custom-domains") && known.contains("read organization-client-grants"), "{known:?}");
    }

    #[test]
    fn items_whose_order_says_something_are_known() {
        let items = |path| route(Registry::builtin(), Method::Get, path).unwrap().unordered_items();
        assert_eq!(items("/clients"), Some("clients"));
        assert_eq!(items("/organizations/a/connections"), Some("connections"));
        assert_eq!(items("/actions/triggers/post-login/bindings"), None);
        assert_eq!(items("/clients/a"), None);
    }

    #[test]
    fn encodings_are_decoded_once() {
        assert_eq!(decode("https:%2F%2Fa%252Fb%"), "https://a%2Fb%");
        assert_eq!(
            parameters("a=b+c&d=%3D&e"),
            [("a", "b c"), ("d", "="), ("e", "")].map(|(k, v)| (k.into(), v.into()))
        );
    }
}
