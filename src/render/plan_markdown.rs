//! A plan as Markdown, for a comment on a pull request.
//!
//! GitHub refuses comments over 65,536 characters, so details give way when they do not fit: first
//! the fields of the changes that come last, then the changes themselves; the counts always stay.

use std::borrow::Cow;

use super::plan_text::{change_title, edit_lines, held_hint, held_lines, secret_lines, summary, unmanaged_lines};
use super::{Style, visible};
use crate::plan::{Change, Plan};

/// The most characters that are written.
const LONGEST: usize = 65_000;
/// Kept free for what says that something was left out.
const RESERVE: usize = 200;

/// Writes a plan as Markdown.
#[must_use]
pub fn plan_markdown(plan: &Plan) -> String {
    let title = format!("{} ({})", visible(&plan.environment), visible(&plan.tenant));
    let title: String = title.chars().take(500).collect();
    let mut page = Page::new(format!("### Plan for {}\n\n**{}**\n", inert(&title), summary(plan)));
    let mut left_out = 0;
    for change in &plan.changes {
        let is_written = page.add(&details(change)) || page.add(&one_line(change));
        left_out += usize::from(!is_written);
    }
    let held: Vec<String> = held_lines(&plan.held, Style::Plain);
    left_out += page.add_list("Held back", &held);
    if let Some(hint) = held_hint(&plan.held) {
        page.add(&format!("\n{hint}\n"));
    }
    left_out += page.add_list("Secrets", &secret_lines(plan));
    left_out += page.add_list("Unmanaged", &unmanaged_lines(plan));
    page.end(left_out)
}

/// Text that stays below the limit.
struct Page {
    text: String,
    count: usize,
}

impl Page {
    fn new(text: String) -> Self {
        let count = text.chars().count();
        Self { text, count }
    }

    /// Adds a part if it fits, and tells whether it did.
    fn add(&mut self, part: &str) -> bool {
        let count = self.count + part.chars().count();
        let fits = count <= LONGEST - RESERVE;
        if fits {
            self.text += part;
            self.count = count;
        }
        fits
    }

    /// Adds a list, and gives the number of its lines that did not fit.
    fn add_list(&mut self, title: &str, lines: &[String]) -> usize {
        if lines.is_empty() {
            return 0;
        }
        self.add(&format!("\n**{title}**\n\n"));
        lines.iter().filter(|line| !self.add(&format!("- {}\n", inert(line)))).count()
    }

    fn end(self, left_out: usize) -> String {
        if left_out > 0 {
            return format!("{}\n_{left_out} more did not fit; `tenantctl plan` shows all._\n", self.text);
        }
        // What is appended to this page would belong to the element without a blank line between.
        if self.text.ends_with("</details>\n") { self.text + "\n" } else { self.text }
    }
}

fn details(change: &Change) -> String {
    let lines = edit_lines(&change.fields, Style::Plain);
    if lines.is_empty() {
        return one_line(change);
    }
    let body = lines.join("\n");
    let fence = "`".repeat(longest_run(&body, '`').max(2) + 1);
    let title = inert_in_html(&change_title(change, Style::Plain));
    format!("\n<details><summary>{title}</summary>\n\n{fence}diff\n{body}\n{fence}\n\n</details>\n")
}

fn one_line(change: &Change) -> String {
    let title: String = change_title(change, Style::Plain).chars().take(500).collect();
    format!("\n{}\n", inert(&title))
}

/// Escapes what Markdown or GitHub would act on in a line; the rest stays legible in the raw text.
pub(super) fn inert(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut before = None;
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        let next = rest.clone().next();
        let opens = next.is_some_and(|next| !next.is_whitespace());
        let acts = match character {
            '\\' | '`' | '[' | '$' => true,
            '*' | '~' => opens,
            // Between letters and digits it is no emphasis.
            '_' => opens && !before.is_some_and(char::is_alphanumeric),
            // At the start they make a list, a heading or a quotation.
            '-' | '+' => before.is_none() && !opens,
            '#' | '>' => before.is_none(),
            _ => false,
        };
        if acts {
            shown.push('\\');
        }
        shown += &quiet(character, next);
        before = Some(character);
    }
    shown
}

/// Escapes what HTML or GitHub would act on in a line that Markdown does not look into.
fn inert_in_html(line: &str) -> String {
    let mut rest = line.chars();
    let mut shown = String::with_capacity(line.len());
    while let Some(character) = rest.next() {
        shown += &quiet(character, rest.clone().next());
    }
    shown
}

/// Writes a character so that it begins no tag, no entity, no mention and no reference.
///
/// GitHub looks for the latter two in the page that was made of the text, where escapes are gone;
/// an empty comment keeps the sign and the name apart (github/cmark-gfm#181).
fn quiet(character: char, next: Option<char>) -> Cow<'static, str> {
    match character {
        '<' => "&lt;".into(),
        '&' if next.is_some_and(|next| next.is_ascii_alphanumeric() || next == '#') => "&amp;".into(),
        '@' if next.is_some_and(char::is_alphanumeric) => "@<!-- -->".into(),
        '#' if next.is_some_and(|next| next.is_ascii_digit()) => "#<!-- -->".into(),
        plain => plain.to_string().into(),
    }
}

fn longest_run(text: &str, wanted: char) -> usize {
    text.split(|c| c != wanted).map(|run| run.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{inert, plan_markdown};
    use crate::plan::Plan;
    use crate::render::plan_text::tests::example;

    #[test]
    fn a_plan_is_a_list_of_collapsed_changes() {
        insta::assert_snapshot!(plan_markdown(&example()));
    }

    #[test]
    fn a_huge_plan_stays_below_the_limit_and_says_what_is_left_out() {
        let example = example();
        let mut plan = Plan { changes: Vec::new(), ..example.clone() };
        for at in 0..2000 {
            let mut change = example.changes[at % 5].clone();
            change.name = format!("{}{at}", "name<".repeat(30));
            plan.changes.push(change);
        }
        let text = plan_markdown(&plan);
        assert!(text.chars().count() < 65_000);
        assert!(text.contains("more did not fit"));
    }

    #[test]
    fn names_and_values_cannot_leave_their_place() {
        let mut plan = example();
        plan.changes[1].name = "</summary><img src=x> @everyone `a` | b".to_owned();
        plan.changes[1].fields[0].after = Some("\n````\n</details># x\n".into());
        let text = plan_markdown(&plan);
        assert!(!text.contains("<img") && !text.contains("@everyone"), "{text}");
        assert!(text.contains("`````diff"), "{text}");
    }

    #[test]
    fn only_what_would_act_is_escaped() {
        for (line, written) in [
            ("prod (northwind.eu.auth0.com)", "prod (northwind.eu.auth0.com)"),
            ("~ clients/A -> https://a.example/?b=c&d", "~ clients/A -> https://a.example/?b=c&amp;d"),
            ("- clients/A client_secret", "\\- clients/A client_secret"),
            ("+ a *b* _c_ ~~d~~ 2 * 3", "\\+ a \\*b* \\_c_ \\~\\~d\\~~ 2 * 3"),
            ("[a](javascript:b) `c` $d$ \\", "\\[a](javascript:b) \\`c\\` \\$d\\$ \\\\"),
            ("<b> @team #12 # &lt; & c", "&lt;b> @<!-- -->team #<!-- -->12 # &amp;lt; & c"),
        ] {
            assert_eq!(inert(line), written);
        }
    }
}
