//! A plan as Markdown, for a comment on a pull request.
//!
//! GitHub refuses comments over 65,536 characters, so details give way when they do not fit: first
//! the fields of the changes that come last, then the changes themselves; the counts always stay.

use super::plan_text::{change_title, edit_lines, held_hint, held_lines, secret_lines, summary};
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
        self.text
    }
}

fn details(change: &Change) -> String {
    let lines = edit_lines(&change.fields, Style::Plain);
    if lines.is_empty() {
        return one_line(change);
    }
    let body = lines.join("\n");
    let fence = "`".repeat(longest_run(&body, '`').max(2) + 1);
    let title = inert(&change_title(change, Style::Plain));
    format!("\n<details><summary>{title}</summary>\n\n{fence}diff\n{body}\n{fence}\n\n</details>\n")
}

fn one_line(change: &Change) -> String {
    let title: String = change_title(change, Style::Plain).chars().take(500).collect();
    format!("\n{}\n", inert(&title))
}

/// Escapes all that Markdown, HTML or GitHub (mentions, references) would take for its own.
fn inert(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '<' | '>' | '`' | '|' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '~' | '\\' | '@' | '!' | '+'
            | '-' | '$' | '"' | '\'' => shown.extend(["&#", &u32::from(character).to_string(), ";"]),
            // A bare address would become a link.
            ':' => shown += "&#58;",
            plain => shown.push(plain),
        }
    }
    shown
}

fn longest_run(text: &str, wanted: char) -> usize {
    text.split(|c| c != wanted).map(|run| run.chars().count()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::plan_markdown;
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
}
