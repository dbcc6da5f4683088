//! The words and shapes in which a person or a program is shown plans, outcomes and problems.
//!
//! Last room on the way of the data: it turns values into text and prints nothing itself, `ui` does
//! that. It knows no files, no API and no kind; whether text is coloured is told to it. Everything
//! that came from a tenant or a file is made visible first, so that a name can't steer a terminal.

pub mod hidden;
pub mod outcome;
pub mod plan_json;
pub mod plan_markdown;
pub mod plan_text;
pub mod problem;
pub mod snippet;
pub mod unplanned;
mod value;

use anstyle::{AnsiColor, Effects, Style as Ansi};

use crate::plan::Action;
use crate::tenant::Address;

/// Whether text is coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// No escape codes.
    #[default]
    Plain,
    /// ANSI escape codes.
    Colour,
}

/// What a piece of text is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Good,
    Changed,
    Bad,
    Strong,
    Faint,
}

impl Style {
    fn paint(self, tone: Tone, text: &str) -> String {
        if self == Self::Plain || text.is_empty() {
            return text.to_owned();
        }
        let ansi = match tone {
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Changed => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
            Tone::Strong => Ansi::new().effects(Effects::BOLD),
            Tone::Faint => Ansi::new().effects(Effects::DIMMED),
        };
        format!("{ansi}{text}{ansi:#}")
    }
}

/// Writes characters that steer a terminal, or that reorder or hide text, as `\u001b`.
///
/// Tabs stay: they do no harm in a line.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => shown.push('\t'),
            hidden if is_hidden(hidden) => shown.extend(escaped(hidden)),
            plain => shown.push(plain),
        }
    }
    shown
}

/// Tells whether a character is a control, or one of Unicode's invisible or reordering marks
/// (UAX #9, UTS #39 section 3.1).
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Writes a character as JSON does, in UTF-16 units.
fn escaped(character: char) -> Vec<String> {
    let mut units = [0; 2];
    character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// Gives the address as it is shown.
fn shown_address(kind: &str, name: &str) -> String {
    visible(&Address::new(kind, name).to_string())
}

fn symbol(action: Action) -> (&'static str, Tone) {
    match action {
        Action::Create => ("+", Tone::Good),
        Action::Update => ("~", Tone::Changed),
        Action::Replace => ("-/+", Tone::Bad),
        Action::Delete => ("-", Tone::Bad),
    }
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_steers_a_terminal_is_written_out() {
        assert_eq!(visible("a\u{1b}[31mb\u{7}\u{9b}c"), "a\\u001b[31mb\\u0007\\u009bc");
        assert_eq!(visible("evil\u{202e}txt.exe\r\n"), "evil\\u202etxt.exe\\u000d\\u000a");
        assert_eq!(visible("\u{e0041}"), "\\udb40\\udc41");
        assert_eq!(visible("Grüße 😀\tok"), "Grüße 😀\tok");
    }
}
