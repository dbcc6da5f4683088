//! The ledger of a run as text and as JSON: done, failed, unknown, not attempted, and what still
//! differs.

use super::{Style, Tone, plan_text, visible};
use crate::plan::ledger::{Counts, Entry, Ledger, Status};
use crate::plan::{Action, Source};
use crate::text::plural;

/// Writes a ledger for a person, with the counts in the last line.
#[must_use]
pub fn outcome_text(ledger: &Ledger, style: Style) -> String {
    let mut lines: Vec<String> =
        ledger.changes.iter().filter(|entry| entry.is_done()).map(|entry| done_line(entry, style)).collect();
    for (title, status) in
        [("Failed", Status::Failed), ("Unknown", Status::Unknown), ("Not attempted", Status::NotAttempted)]
    {
        let entries = ledger.changes.iter().filter(|entry| entry.status == status);
        lines.extend(section(
            title,
            entries.map(|entry| (entry.address().to_string(), entry.action, why(entry))),
            style,
        ));
    }
    let differing = ledger.differing.iter();
    let differs = differing.map(|change| {
        let how = match change.action {
            Action::Create => "the tenant does not show it; if reads lag, give it more time with --read-lag".to_owned(),
            Action::Delete => "the tenant still shows it; if reads lag, give it more time with --read-lag".to_owned(),
            Action::Update | Action::Replace => plan_text::edits_text(change, style),
        };
        (change.address().to_string(), change.action, how)
    });
    lines.extend(section("Still different", differs, style));
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines.extend([style.paint(Tone::Strong, &counts(ledger)), String::new()]);
    lines.join("\n")
}

/// Writes a ledger as JSON.
///
/// # Panics
/// Never: a ledger's keys are texts and its values JSON.
#[must_use]
pub fn outcome_json(ledger: &Ledger) -> String {
    serde_json::to_string_pretty(ledger).expect("a ledger's keys are texts and its values JSON") + "\n"
}

/// Writes one change that was made: `clients/Billing worker: created (id)`.
#[must_use]
pub fn done_line(entry: &Entry, style: Style) -> String {
    let (word, tone) = match entry.action {
        Action::Create => ("created", Tone::Good),
        Action::Update => ("updated", Tone::Changed),
        Action::Replace => ("replaced", Tone::Bad),
        Action::Delete => ("deleted", Tone::Bad),
    };
    let id = entry.id.as_ref().map_or_else(String::new, |id| format!(" ({})", visible(id)));
    format!("{}: {}{id}", visible(&entry.address().to_string()), style.paint(tone, word))
}

/// Says why a change is not done: what happened, what caused it, what to do, where it is defined.
fn why(entry: &Entry) -> String {
    let defined = entry.source.iter().map(|Source { file, line, .. }| format!("defined at {file}:{line}"));
    let hint = entry.hint.iter().map(|hint| format!("hint: {hint}"));
    let said = entry.message.iter().chain(&entry.causes).cloned();
    said.chain(hint).chain(defined.filter(|_| entry.status != Status::NotAttempted)).collect::<Vec<_>>().join("\n")
}

fn section(title: &str, notes: impl Iterator<Item = (String, Action, String)>, style: Style) -> Vec<String> {
    let line = |(address, action, why): (String, Action, String)| {
        let verb = match action {
            Action::Create => "create",
            Action::Update => "update",
            Action::Replace => "replace",
            Action::Delete => "delete",
        };
        let why: Vec<String> = why.lines().map(visible).collect();
        format!("  {}: {verb}: {}", visible(&address), why.join("\n      "))
    };
    let lines: Vec<String> = notes.map(line).collect();
    if lines.is_empty() {
        return lines;
    }
    [String::new(), style.paint(Tone::Strong, title)].into_iter().chain(lines).collect()
}

fn counts(ledger: &Ledger) -> String {
    let of = |action| ledger.changes.iter().filter(|entry| entry.is_done() && entry.action == action).count();
    let made = [
        (of(Action::Create), "created"),
        (of(Action::Update), "updated"),
        (of(Action::Replace), "replaced"),
        (of(Action::Delete), "deleted"),
    ];
    let made: Vec<String> =
        made.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let made = if made.is_empty() { "Nothing was done.".to_owned() } else { format!("Applied: {}.", made.join(", ")) };
    let Counts { failed, unknown, not_attempted, differing, .. } = ledger.summary;
    let rest =
        [(failed, "failed"), (unknown, "unknown"), (not_attempted, "not attempted"), (differing, "still different")];
    let rest = rest.iter().filter(|(count, _)| *count > 0);
    let sentences = rest.map(|(count, word)| format!("{} {word}.", plural(*count, "change")));
    std::iter::once(made).chain(sentences).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{outcome_json, outcome_text};
    use crate::plan::ledger::{Entry, Ledger, Status};
    use crate::plan::{Action, Source};
    use crate::render::Style;
    use crate::render::plan_text::tests::example;
    use crate::tenant::Address;

    fn entry(address: &str, action: Action, status: Status, message: Option<&str>) -> Entry {
        let Address { kind, name } = Address::parse(address);
        let source = Some(Source { file: "tenant.yaml".to_owned(), line: 3, column: 4 });
        let id = (status == Status::Done && !name.is_empty()).then(|| "abc".to_owned());
        let (causes, hint) = (Vec::new(), message.filter(|_| status == Status::Failed).map(|_| "mend it".to_owned()));
        let (calls, request_id) = (Vec::new(), None);
        let message = message.map(str::to_owned);
        Entry { kind, name, action, status, id, calls, request_id, message, causes, hint, source }
    }

    #[test]
    fn a_ledger_lists_what_was_done_and_what_was_not() {
        let changes = vec![
            entry("clients/Billing worker", Action::Create, Status::Done, None),
            entry("tenant", Action::Update, Status::Done, None),
            entry("clients/B", Action::Update, Status::Failed, Some("PATCH /clients/{id}: 400 Bad\u{1b} Request")),
            entry("clients/C", Action::Create, Status::Unknown, Some("POST /clients: no answer came in time")),
            entry("clientGrants/B -> https://a", Action::Create, Status::NotAttempted, Some("clients/B failed")),
        ];
        let plan = example();
        let ledger = Ledger::of(&plan.environment, &plan.tenant, changes).differing(vec![plan.changes[0].clone()]);
        insta::assert_snapshot!(outcome_text(&ledger, Style::Plain));
        insta::assert_snapshot!(outcome_json(&Ledger { differing: Vec::new(), ..ledger }));
        insta::assert_snapshot!(outcome_text(&Ledger::of(&plan.environment, &plan.tenant, Vec::new()), Style::Plain));
    }
}
