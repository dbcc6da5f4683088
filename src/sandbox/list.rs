//! Lists: filters, order, and both styles of pages.
//!
//! Pure; it reads declarations and names no kind. Facts: paging.md of the API facts. A checkpoint
//! (`next`) is the number of the last row of the page, so that rows made or deleted meanwhile move
//! nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::exchange::{Request, Response};
use crate::kinds::kind::{Kind, List, Paging};
use crate::kinds::server::ServerKind;

/// Objects that offset pages can reach where there is a checkpoint (paging.md, "Window of 1,000").
const WINDOW: usize = 1000;

/// A row: its number and its object.
pub type Row<'a> = (u64, &'a Map<String, Value>);

/// Picks the rows that the query's filters want, in the order that it wants.
#[must_use]
pub fn matching<'a>(kind: &Kind, rows: Vec<Row<'a>>, request: &Request) -> Vec<Row<'a>> {
    let mut rows = rows;
    for (parameter, field) in &kind.server.filters {
        if let Some(field) = field.strip_prefix('*').and_then(|field| field.strip_suffix('*')) {
            if let Some(wanted) = request.parameter(parameter).map(str::to_lowercase) {
                rows.retain(|(_, object)| text_of(object.get(field)).to_lowercase().contains(&wanted));
            }
            continue;
        }
        let wanted: Vec<&str> = request
            .query
            .iter()
            .filter(|(name, _)| name == parameter)
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim)
            .collect();
        if !wanted.is_empty() {
            rows.retain(|(_, object)| texts_of(object, field).iter().any(|text| wanted.contains(&text.as_str())));
        }
    }
    if let Some(search) = request.parameter("q") {
        rows.retain(|(_, object)| search.split(" AND ").all(|term| is_found(object, term)));
    }
    if let Some((field, direction)) = request.parameter("sort").and_then(|sort| sort.split_once(':')) {
        rows.sort_by_key(|(_, object)| text_of(object.get(field)));
        if direction == "-1" {
            rows.reverse();
        }
    }
    rows
}

/// Gives the texts of a field, or of the member of all elements of a list (`/list/[]/member`).
fn texts_of(object: &Map<String, Value>, field: &str) -> Vec<String> {
    match field.strip_prefix('/').and_then(|field| field.split_once("/[]/")) {
        Some((list, member)) => {
            let elements = object.get(list).and_then(Value::as_array).into_iter().flatten();
            elements.map(|element| text_of(element.get(member))).collect()
        }
        None => vec![text_of(object.get(field))],
    }
}

/// A missing flag counts as false: `is_global=false` leaves out the global one only (paging.md).
fn text_of(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "false".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn is_found(object: &Map<String, Value>, term: &str) -> bool {
    let Some((field, wanted)) = term.split_once(':') else { return true };
    let mut value = object.get(field.split('.').next().unwrap_or_default());
    for part in field.split('.').skip(1) {
        value = value.and_then(|value| value.get(part));
    }
    let value = value.map(|value| text_of(Some(value))).unwrap_or_default();
    let wanted = wanted.trim_matches('"');
    match wanted.split_once('*') {
        Some((start, end)) => value.starts_with(start) && value[start.len()..].ends_with(end),
        None => value == wanted,
    }
}

/// Cuts the rows into the page that was asked, in the shape that was asked; `show` makes an object's
/// view.
///
/// # Errors
/// Refuses a page that is too large, or out of the window.
pub fn page(
    list: &List,
    server: &ServerKind,
    rows: &[Row],
    request: &Request,
    mut show: impl FnMut(&Map<String, Value>) -> Value,
) -> Result<Value, Response> {
    let take = number(request, "take", list.size, 1)?;
    let per_page = number(request, "per_page", list.size, 0)?;
    let page = number(request, "page", usize::MAX, 0)?.unwrap_or(0);
    let mut shown = |rows: &[Row]| rows.iter().map(|(_, object)| show(object)).collect::<Vec<Value>>();
    let is_bare = matches!(list.paging.as_slice(), [Paging::None]);
    let is_forward = matches!(list.paging.as_slice(), [Paging::Checkpoint]);
    // Where both are sent, `take` wins (recorded for client grants).
    if is_forward
        || take.is_some()
        || request.parameter("from").is_some()
        || (is_bare && request.parameter("q").is_some())
    {
        return Ok(checkpoint(list, rows, take.unwrap_or(50.min(list.size)), request.parameter("from"), shown));
    }
    if is_bare {
        let items = Value::Array(shown(rows));
        return Ok(if server.enveloped { json!({list.items.as_str(): items}) } else { items });
    }
    if !list.totals && request.parameter("include_totals").is_some() {
        // A client's source (deploy-cli, its handler of actions) quotes the words between the quotes.
        let text = "Query validation error: 'Additional properties not allowed: include_totals'.";
        return Err(Response::invalid_query(text));
    }
    let size = per_page.unwrap_or_else(|| server.page_size.unwrap_or(50.min(list.size)));
    let start = page.saturating_mul(size);
    if list.paging.contains(&Paging::Checkpoint) && start >= WINDOW {
        let message = format!(
            "Requesting page {page} exceeds the allowed maximum of {WINDOW} records. To fetch results beyond {WINDOW}, \
             use the checkpoint pagination method"
        );
        return Err(Response::invalid_query(&message));
    }
    let end = rows.len().min(start.saturating_add(size));
    let items = shown(rows.get(start..end).unwrap_or_default());
    if !list.totals {
        // A page past the end tells no total (recorded).
        let total = if items.is_empty() { 0 } else { rows.len() };
        let mut answer = json!({list.items.as_str(): items, "total": total, "page": page, "per_page": size});
        if let (true, Value::Object(members)) = (server.hides_zeros, &mut answer) {
            members.retain(|_, value| *value != json!(0));
        }
        return Ok(answer);
    }
    if request.parameter("include_totals") != Some("true") {
        return Ok(Value::Array(items));
    }
    Ok(json!({"start": start, "limit": size, "total": rows.len(), list.items.as_str(): items}))
}

fn checkpoint(
    list: &List,
    rows: &[Row],
    take: usize,
    from: Option<&str>,
    mut shown: impl FnMut(&[Row]) -> Vec<Value>,
) -> Value {
    let after = from.map_or(0, |token| {
        let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        text.and_then(|text| text.parse().ok()).unwrap_or(0u64)
    });
    let left: Vec<Row> = rows.iter().filter(|(number, _)| *number > after).copied().collect();
    let cut = &left[..take.min(left.len())];
    let mut answer = json!({list.items.as_str(): shown(cut)});
    if let (Some((last, _)), true) = (cut.last(), left.len() > cut.len()) {
        answer["next"] = json!(URL_SAFE_NO_PAD.encode(last.to_string()));
    }
    answer
}

fn number(request: &Request, name: &str, max: usize, min: usize) -> Result<Option<usize>, Response> {
    let Some(text) = request.parameter(name) else { return Ok(None) };
    let wrong =
        |text: String| Response::invalid_query(&format!("Query validation error: '{text}' on property {name}."));
    let Ok(value) = text.parse::<usize>() else {
        return Err(wrong("Expected type integer but found type string".to_owned()));
    };
    if value > max {
        return Err(wrong(format!("Value {value} is greater than maximum {max}")));
    }
    if value < min {
        return Err(wrong(format!("Value {value} is less than minimum {min}")));
    }
    Ok(Some(value))
}
