//! A plan as text for a person: each change with its fields, what is held back, secrets, counts.
//!
//! ```text
//!   ~ clients/Billing worker
//!       ~ jwt_configuration.alg  "HS256" -> "RS256"   tenant.yaml:14:12
//! ```
//!
//! Reads a `Plan` and nothing else; `plan_markdown` borrows the lines of a field from here.

use serde_json::Value;

use super::value::{is_long, json, json_lines, member, path, text_diff};
use super::{Style, Tone, shown_address, symbol, visible};
use crate::plan::{Action, Change, Edit, Held, Op, Plan, SecretState, SetEdit, Summary};
use crate::secret::MASK;

/// Stands where a value is taken away.
const CLEARED: &str = "(cleared)";
/// Paths up to this many characters are aligned with those beside them.
const ALIGNED: usize = 40;

/// Writes a plan.
#[must_use]
pub fn plan_text(plan: &Plan, style: Style) -> String {
    let title = format!("Plan for {} ({})", visible(&plan.environment), visible(&plan.tenant));
    let mut lines = vec![style.paint(Tone::Strong, &title)];
    for change in &plan.changes {
        lines.extend([String::new(), indented(&change_title(change, style), 2)]);
        lines.extend(edit_lines(&change.fields, style).iter().map(|line| indented(line, 6)));
    }
    if !plan.held.is_empty() {
        lines.extend(section("Held back", &held_lines(&plan.held, style), style));
        lines.extend(held_hint(&plan.held).map(|hint| format!("  hint: {hint}")));
    }
    if !plan.secrets.is_empty() {
        lines.extend(section("Secrets", &secret_lines(plan), style));
    }
    if !plan.unmanaged.is_empty() {
        lines.extend(section("Unmanaged", &unmanaged_lines(plan), style));
    }
    lines.extend([String::new(), style.paint(Tone::Strong, &summary(plan)), String::new()]);
    lines.join("\n")
}

/// Writes the counts of a plan in one line.
#[must_use]
pub fn summary(plan: &Plan) -> String {
    let Summary { create, update, replace, delete, held, unchanged, unmanaged, .. } = plan.summary;
    let changes = if plan.is_empty() {
        "No changes.".to_owned()
    } else {
        format!("Plan: {create} to create, {update} to update, {replace} to replace, {delete} to delete.")
    };
    let held = if held > 0 { format!(" {held} held back.") } else { String::new() };
    format!("{changes}{held} {unchanged} unchanged, {unmanaged} unmanaged.")
}

/// Says what would let the held changes through, where a flag does.
pub(super) fn held_hint(held: &[Held]) -> Option<&'static str> {
    held.iter()
        .any(|held| held.reason.contains("not allowed"))
        .then_some("`--allow-delete` carries out deletes and replacements")
}

/// Writes what is held back, a line each.
pub(super) fn held_lines(held: &[Held], style: Style) -> Vec<String> {
    let line = |held: &Held| {
        let (sign, tone) = symbol(held.action);
        let place = held.path.as_deref().map_or(String::new(), |pointer| format!(" {}", path(pointer)));
        let address = shown_address(&held.kind, &held.name);
        let sign = style.paint(tone, sign);
        format!("{sign} {address}{place}: {}", visible(&held.reason))
    };
    held.iter().map(line).collect()
}

/// Writes what is said of secrets, a line each.
pub(super) fn secret_lines(plan: &Plan) -> Vec<String> {
    let line = |note: &crate::plan::SecretNote| {
        let state = match (note.state, &note.keyword) {
            (SecretState::NotComparable, _) => "not comparable".to_owned(),
            (SecretState::Kept, None) => "kept".to_owned(),
            (SecretState::Kept, Some(keyword)) => format!("kept, the keyword {} has no value", visible(keyword)),
        };
        format!("{} {}  (sensitive: {state})", shown_address(&note.kind, &note.name), path(&note.path))
    };
    plan.secrets.iter().map(line).collect()
}

/// Writes what no definition is about, a line each.
pub(super) fn unmanaged_lines(plan: &Plan) -> Vec<String> {
    plan.unmanaged.iter().map(|unmanaged| shown_address(&unmanaged.kind, &unmanaged.name)).collect()
}

fn section(title: &str, lines: &[String], style: Style) -> Vec<String> {
    let head = [String::new(), style.paint(Tone::Strong, title)];
    head.into_iter().chain(lines.iter().map(|line| indented(line, 2))).collect()
}

fn indented(line: &str, by: usize) -> String {
    format!("{:by$}{line}", "")
}

/// Writes what is done with an object, without its fields.
pub(super) fn change_title(change: &Change, style: Style) -> String {
    let (sign, tone) = symbol(change.action);
    let word = match change.action {
        Action::Replace => "  (deleted and created again)".to_owned(),
        Action::Update if !change.again.is_empty() => format!("  (and again: {})", change.again.join(", ")),
        Action::Create | Action::Update | Action::Delete => String::new(),
    };
    format!("{} {}{word}", style.paint(tone, sign), shown_address(&change.kind, &change.name))
}

/// Writes the fields of a change alone: what still differs after an apply.
#[must_use]
pub fn edits_text(change: &Change, style: Style) -> String {
    edit_lines(&change.fields, style).join("\n")
}

/// Writes the fields of a change, in lines that begin with their sign.
pub(super) fn edit_lines(edits: &[Edit], style: Style) -> Vec<String> {
    let width = |edit: &Edit| path(&edit.path).chars().count();
    let widest = edits.iter().map(width).filter(|width| *width <= ALIGNED).max().unwrap_or(0);
    edits.iter().flat_map(|edit| lines_of(edit, widest, style)).collect()
}

fn lines_of(edit: &Edit, width: usize, style: Style) -> Vec<String> {
    let (sign, tone) = match edit.op {
        Op::Add => ("+", Tone::Good),
        Op::Replace => ("~", Tone::Changed),
        Op::Remove => ("-", Tone::Bad),
    };
    let (told, below) = told(edit, style);
    let name = path(&edit.path);
    let mut line = format!("{} {name:width$}  {told}", style.paint(tone, sign));
    if let Some(source) = &edit.source {
        let place = format!("{}:{}:{}", visible(&source.file), source.line, source.column);
        line = format!("{}   {}", line.trim_end(), style.paint(Tone::Faint, &place));
    }
    std::iter::once(line.trim_end().to_owned()).chain(below.iter().map(|line| indented(line, 4))).collect()
}

/// Tells what becomes of a value: in the line of its path, and in lines below it.
fn told(edit: &Edit, style: Style) -> (String, Vec<String>) {
    let after = edit.after.as_ref().filter(|value| !value.is_null());
    if edit.sensitive {
        let word = if edit.op == Op::Remove { format!("{MASK} -> {CLEARED}") } else { MASK.to_owned() };
        return (word, Vec::new());
    }
    if let Some(set) = &edit.set {
        let unchanged = after.and_then(Value::as_array).map_or(0, Vec::len);
        return set_told(set, unchanged.saturating_sub(set.added.len() + set.changed.len()), style);
    }
    match (&edit.before, after) {
        (before, None) => (cleared(before.as_ref()), Vec::new()),
        (None, Some(Value::Array(items))) if is_wide(&Value::Array(items.clone())) => {
            set_told(&SetEdit { added: items.clone(), ..SetEdit::default() }, 0, style)
        }
        (None, Some(after)) if is_wide(after) => (String::new(), wide_diff(None, after, style)),
        (None, Some(after)) => (json(after), Vec::new()),
        (Some(before), Some(after)) if is_wide(before) || is_wide(after) => {
            (String::new(), wide_diff(Some(before), after, style))
        }
        (Some(before), Some(after)) => (format!("{} -> {}", json(before), json(after)), Vec::new()),
    }
}

fn cleared(before: Option<&Value>) -> String {
    match before {
        None => format!("-> {CLEARED}"),
        Some(Value::String(text)) if is_long(text) => {
            format!("({}) -> {CLEARED}", crate::text::plural(text.lines().count(), "line"))
        }
        Some(value) => format!("{} -> {CLEARED}", json(value)),
    }
}

fn set_told(set: &SetEdit, unchanged: usize, style: Style) -> (String, Vec<String>) {
    let line = |sign: &str, tone, text: String| format!("{} {text}", style.paint(tone, sign));
    let changed = |pair: &Value| match (pair.get("before"), pair.get("after")) {
        (Some(before), Some(after)) => format!("{} -> {}", json(before), json(after)),
        _ => json(pair),
    };
    let added = set.added.iter().map(|value| line("+", Tone::Good, member(value)));
    let removed = set.removed.iter().map(|value| line("-", Tone::Bad, member(value)));
    let changed = set.changed.iter().map(|pair| line("~", Tone::Changed, changed(pair)));
    let rest = if unchanged > 0 { format!("({unchanged} unchanged)") } else { String::new() };
    (rest, added.chain(removed).chain(changed).collect())
}

fn is_wide(value: &Value) -> bool {
    match value {
        Value::String(text) => is_long(text),
        Value::Array(_) | Value::Object(_) => is_long(&value.to_string()),
        _ => false,
    }
}

/// Compares two values by lines: texts as they are, all else as JSON.
fn wide_diff(before: Option<&Value>, after: &Value, style: Style) -> Vec<String> {
    let lines = |value: &Value| json_lines(value).join("\n") + "\n";
    match (before, after) {
        (None, Value::String(after)) => text_diff("", after, style),
        (Some(Value::String(before)), Value::String(after)) => text_diff(before, after, style),
        (None, after) => text_diff("", &lines(after), style),
        (Some(before), after) => text_diff(&lines(before), &lines(after), style),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::plan_text;
    use crate::plan::Plan;
    use crate::render::Style;

    pub(in crate::render) fn example() -> Plan {
        serde_json::from_value(json!({
            "format_version": "1", "tool_version": "0.1.0", "environment": "prod",
            "tenant": "northwind.eu.auth0.com", "definitions_sha256": "ab",
            "changes": [
                { "kind": "resourceServers", "name": "https://api.example", "action": "create", "requires": [], "fields": [
                    { "op": "add", "path": "/name", "after": "Invoices", "source": { "file": "tenant.yaml", "line": 2, "column": 9 } },
                    { "op": "add", "path": "/signing_secret", "sensitive": true },
                ] },
                { "kind": "clients", "name": "Billing worker", "action": "update", "id": "abc", "requires": [], "fields": [
                    { "op": "replace", "path": "/jwt_configuration/alg", "before": "HS256", "after": "RS256",
                      "source": { "file": "tenant.yaml", "line": 14, "column": 12 } },
                    { "op": "remove", "path": "/description", "before": "old" },
                    { "op": "replace", "path": "/custom_login_page", "before": "<a>\n<b>\n", "after": "<a>\n<c>\n" },
                ] },
                { "kind": "clientGrants", "name": "Billing worker -> https://api.example", "action": "update", "id": "cgr", "requires": [], "fields": [
                    { "op": "replace", "path": "/scope", "before": ["a", "b", "write:invoices"], "after": ["a", "b", "read:invoices"],
                      "set": { "added": ["read:invoices"], "removed": ["write:invoices"], "changed": [{ "before": { "value": 1 }, "after": { "value": 2 } }] },
                      "source": { "file": "tenant.yaml", "line": 20, "column": 7 } },
                ] },
                { "kind": "customDomains", "name": "login.example", "action": "replace", "id": "cd", "requires": [], "fields": [] },
                { "kind": "clients", "name": "evil\u{1b}[2J", "action": "delete", "id": "x", "requires": [], "fields": [] },
            ],
            "held": [
                { "kind": "clients", "name": "C", "action": "delete", "reason": "deletes are not allowed" },
                { "kind": "clients", "name": "D", "action": "update", "path": "/client_metadata/b", "reason": "protected" },
            ],
            "secrets": [{ "kind": "clients", "name": "A", "path": "/client_secret", "state": "not_comparable" },
                        { "kind": "clients", "name": "B", "path": "/client_secret", "state": "kept", "keyword": "B_SECRET" }],
            "summary": { "create": 1, "update": 2, "replace": 1, "delete": 1, "held": 2, "unchanged": 12, "unmanaged": 3,
                         "not_comparable": 1, "kept": 1 },
        }))
        .unwrap()
    }

    #[test]
    fn a_plan_shows_each_change_with_its_fields() {
        insta::assert_snapshot!(plan_text(&example(), Style::Plain));
    }

    #[test]
    fn a_plan_without_changes_says_so() {
        let mut plan = example();
        plan.changes.clear();
        plan.secrets.clear();
        plan.held.clear();
        plan.summary = crate::plan::Summary { unchanged: 4, ..Default::default() };
        insta::assert_snapshot!(plan_text(&plan, Style::Plain));
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let coloured = plan_text(&example(), Style::Colour);
        assert!(coloured.contains('\u{1b}'));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plan_text(&example(), Style::Plain));
    }

    #[test]
    fn long_values_are_compared_by_lines() {
        let mut plan = example();
        let edit = &mut plan.changes[1].fields[0];
        let wide = |last: u32| json!({ "list": (0..40).collect::<Vec<_>>(), "last": last });
        (edit.before, edit.after) = (Some(wide(1)), Some(wide(2)));
        let text = plan_text(&plan, Style::Plain);
        assert!(text.contains("-  \"last\": 1\n") && text.contains("+  \"last\": 2\n"), "{text}");
    }
}
