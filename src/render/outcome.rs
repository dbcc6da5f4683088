//! What an apply did, as text: done, failed, not attempted, and what still differs.
//!
//! Takes plain slices, so that it knows nothing of how an apply runs.

use super::{Style, Tone, visible};
use crate::plan::Action;
use crate::tenant::Address;
use crate::text::plural;

/// An object, what was to be done with it, and a word on it: its id, the API's message, a reason.
pub type Note = (Address, Action, String);

/// What an apply did.
#[derive(Debug, Clone, Copy, Default)]
pub struct Notes<'a> {
    /// Changes that were made, with the id (or nothing).
    pub done: &'a [Note],
    /// Changes that failed, with the API's message.
    pub failed: &'a [Note],
    /// Changes that were not tried, with the reason.
    pub not_attempted: &'a [Note],
    /// Changes that were made and after which the tenant is not as planned, with what differs.
    pub differing: &'a [Note],
}

/// Writes what an apply did, with the counts in the last line.
#[must_use]
pub fn outcome_text(notes: Notes<'_>, style: Style) -> String {
    let mut lines: Vec<String> = notes.done.iter().map(|note| done_line(note, style)).collect();
    for (title, notes) in
        [("Failed", notes.failed), ("Not attempted", notes.not_attempted), ("Still different", notes.differing)]
    {
        lines.extend(section(title, notes, style));
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines.extend([style.paint(Tone::Strong, &counts(notes)), String::new()]);
    lines.join("\n")
}

/// Writes one change that was made: `clients/Billing worker: created (id)`.
#[must_use]
pub fn done_line((address, action, id): &Note, style: Style) -> String {
    let (word, tone) = match action {
        Action::Create => ("created", Tone::Good),
        Action::Update => ("updated", Tone::Changed),
        Action::Replace => ("replaced", Tone::Bad),
        Action::Delete => ("deleted", Tone::Bad),
    };
    let id = if id.is_empty() { String::new() } else { format!(" ({})", visible(id)) };
    format!("{}: {}{id}", visible(&address.to_string()), style.paint(tone, word))
}

fn section(title: &str, notes: &[Note], style: Style) -> Vec<String> {
    if notes.is_empty() {
        return Vec::new();
    }
    let line = |(address, action, why): &Note| {
        let verb = match action {
            Action::Create => "create",
            Action::Update => "update",
            Action::Replace => "replace",
            Action::Delete => "delete",
        };
        let why: Vec<String> = why.lines().map(visible).collect();
        format!("  {}: {verb}: {}", visible(&address.to_string()), why.join("\n      "))
    };
    [String::new(), style.paint(Tone::Strong, title)].into_iter().chain(notes.iter().map(line)).collect()
}

fn counts(notes: Notes<'_>) -> String {
    let of = |action| notes.done.iter().filter(|(_, done, _)| *done == action).count();
    let made = [
        (of(Action::Create), "created"),
        (of(Action::Update), "updated"),
        (of(Action::Replace), "replaced"),
        (of(Action::Delete), "deleted"),
    ];
    let made: Vec<String> =
        made.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let made =
        if made.is_empty() { "Nothing was written.".to_owned() } else { format!("Applied: {}.", made.join(", ")) };
    let rest = [(notes.failed, "failed"), (notes.not_attempted, "not attempted"), (notes.differing, "still different")];
    let rest = rest.iter().filter(|(notes, _)| !notes.is_empty());
    let sentences = rest.map(|(notes, word)| format!("{} {word}.", plural(notes.len(), "change")));
    std::iter::once(made).chain(sentences).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Notes, outcome_text};
    use crate::plan::Action;
    use crate::render::Style;
    use crate::tenant::Address;

    #[test]
    fn an_outcome_lists_what_was_done_and_what_was_not() {
        let note = |address: &str, action, text: &str| (Address::parse(address), action, text.to_owned());
        let notes = Notes {
            done: &[note("clients/Billing worker", Action::Create, "abc"), note("tenant", Action::Update, "")],
            failed: &[note("clients/B", Action::Update, "PATCH /clients/{id}: 400 Bad\u{1b} Request\ntenant.yaml:3:4")],
            not_attempted: &[note("clientGrants/B -> https://a", Action::Create, "clients/B failed")],
            differing: &[note("tenant", Action::Update, "support_url")],
        };
        insta::assert_snapshot!(outcome_text(notes, Style::Plain));
        insta::assert_snapshot!(outcome_text(Notes::default(), Style::Plain));
    }
}
