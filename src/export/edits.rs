//! Edits of a YAML or JSON text in which keywords were replaced: what is not edited stays byte for byte.
//!
//! Pure. Places are those of the text after substitution; an edit that would cut through a marker is refused,
//! and then what stands around it is written anew. Knows nothing of kinds.

use std::ops::Range;

use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::yaml::{flow, yaml};
use crate::config::fill::block_start;
use crate::config::keywords::next_marker;
use crate::config::substitute::Substituted;
use crate::config::yaml::{Data, Entry, Node, Span};

/// It can't be edited within: the whole must be written.
#[derive(Debug)]
pub(super) struct Whole;

/// The edits of one text.
#[derive(Debug)]
pub(super) struct Edits<'a> {
    read: &'a Substituted,
    edits: Vec<(Range<usize>, String)>,
}

impl<'a> Edits<'a> {
    /// Begins with none.
    pub(super) fn new(read: &'a Substituted) -> Self {
        Self { read, edits: Vec::new() }
    }

    /// Gives the text with the edits.
    pub(super) fn text(mut self) -> String {
        let source = &self.read.source.text;
        self.edits.sort_by_key(|(range, _)| (range.start, range.end));
        let mut text = String::with_capacity(source.len());
        let mut from = 0;
        for (range, new) in self.edits {
            text += source.get(from..range.start).unwrap_or_default();
            text += &new;
            from = range.end.max(from);
        }
        text + &source[from..]
    }

    /// Tells how many edits there are.
    pub(super) fn count(&self) -> usize {
        self.edits.len()
    }

    /// Takes back what came after there were so many.
    pub(super) fn back_to(&mut self, count: usize) {
        self.edits.truncate(count);
    }

    fn written(&self) -> &'a str {
        self.read.text()
    }

    fn edit(&mut self, range: Range<usize>, new: String) -> Result<(), Whole> {
        let range = self.read.replaced.exact(&range).ok_or(Whole)?;
        self.edits.push((range, new));
        Ok(())
    }

    /// Tells whether a keyword's marker or an expression stands in a part of the text.
    pub(super) fn marker(&self, range: &Range<usize>) -> Option<String> {
        let source = &self.read.source.text;
        let origin = self.read.replaced.exact(range)?;
        let part = &source[origin];
        let expression =
            || part.find("${{").map(|at| part[at..].split_inclusive("}}").next().unwrap_or(part).to_owned());
        next_marker(part, 0).map(|(range, _)| part[range].to_owned()).or_else(expression)
    }

    /// Tells whether a collection stands in the text as it is, and not as an alias of another one.
    pub(super) fn is_written(node: &Node) -> bool {
        let is_inside = |span: &Span| node.span.start <= span.start && span.end <= node.span.end;
        match &*node.data {
            Data::Map(entries) => entries.iter().all(|entry| is_inside(&entry.span)),
            Data::List(items) => items.iter().all(|item| is_inside(&item.span)),
            Data::Scalar(_) => true,
        }
    }

    /// Tells whether a collection is written with brackets.
    pub(super) fn is_flow(&self, node: &Node) -> bool {
        self.written()[node.span.clone()].starts_with(['[', '{'])
    }

    /// Gives where the value of a key stands, from behind the colon.
    pub(super) fn after_key(&self, entry: &Entry) -> Range<usize> {
        let text = self.written();
        let colon = text[entry.span.end..].find(':').map_or(entry.span.end, |at| entry.span.end + at + 1);
        colon..self.end(&entry.value, colon)
    }

    /// Gives where a value ends; the parser has an empty one begin and end where the next token is.
    fn end(&self, node: &Node, least: usize) -> usize {
        let end = node.span.end.max(least);
        (least + self.written()[least..end].trim_end().len()).min(end)
    }

    /// Writes another value for a key.
    pub(super) fn set_member(&mut self, entry: &Entry, value: &Value, is_flow: bool) -> Result<(), Whole> {
        let range = self.after_key(entry);
        if is_flow {
            return self.edit(range, format!(" {}", flow(value)));
        }
        let text = member_text(&entry.key, value)?;
        let (_, text) = text.split_at(member_key(&entry.key)?.len());
        let new = shifted(text, self.column(entry.span.start));
        self.edit(range, new)
    }

    /// Gives where an element of a list stands.
    pub(super) fn item(&self, item: &Node) -> Range<usize> {
        let start = block_start(self.written(), item.span.start);
        start..self.end(item, start)
    }

    /// Writes another element.
    pub(super) fn set_item(&mut self, item: &Node, value: &Value, is_flow: bool) -> Result<(), Whole> {
        if is_flow {
            return self.edit(item.span.clone(), flow(value));
        }
        let dash = self.dash(item).ok_or(Whole)?;
        let text = item_text(value)?;
        self.edit(dash + 1..self.item(item).end.max(dash + 1), shifted(&text[1..], self.column(dash)))
    }

    /// Takes elements out of a list, and puts others behind the rest.
    pub(super) fn change_items(&mut self, list: &Node, removed: &[usize], added: &[Value]) -> Result<(), Whole> {
        let Data::List(items) = &*list.data else { return Err(Whole) };
        if removed.is_empty() && added.is_empty() {
            return Ok(());
        }
        let spans: Vec<Span> = items.iter().map(|item| item.span.clone()).collect();
        if self.is_flow(list) {
            let texts: Vec<String> = added.iter().map(flow).collect();
            return self.change_flow(&spans, removed, &texts);
        }
        let end = items.iter().enumerate().rev().find(|(at, _)| !removed.contains(at)).ok_or(Whole)?.1;
        for at in removed {
            let dash = self.dash(&items[*at]).ok_or(Whole)?;
            let start = self.line_start(dash);
            if !self.written()[start..dash].trim().is_empty() {
                return Err(Whole);
            }
            self.edit(self.lines(start, self.item(&items[*at]).end), String::new())?;
        }
        let column = self.column(self.dash(end).ok_or(Whole)?);
        for value in added {
            self.line_after(self.item(end).end, &item_text(value)?, column)?;
        }
        Ok(())
    }

    /// Takes members out of a map, and puts others behind the rest.
    pub(super) fn change_members(
        &mut self,
        map: &Node,
        removed: &[usize],
        added: &[(String, Value)],
    ) -> Result<(), Whole> {
        let Data::Map(entries) = &*map.data else { return Err(Whole) };
        if removed.is_empty() && added.is_empty() {
            return Ok(());
        }
        if self.is_flow(map) {
            let spans: Vec<Span> = entries.iter().map(|entry| entry.span.start..self.after_key(entry).end).collect();
            let texts: Vec<String> = added
                .iter()
                .map(|(name, value)| format!("{}: {}", flow(&Value::from(name.as_str())), flow(value)))
                .collect();
            return self.change_flow(&spans, removed, &texts);
        }
        let last = entries.iter().enumerate().rev().find(|(at, _)| !removed.contains(at)).ok_or(Whole)?.1;
        for at in removed {
            let (entry, start) = (&entries[*at], self.line_start(entries[*at].span.start));
            if self.written()[start..entry.span.start].trim().is_empty() {
                self.edit(self.lines(start, self.after_key(entry).end), String::new())?;
            } else {
                let end = self.next_line(self.after_key(entry).end);
                // It stands behind the dash of an element: what comes next moves there.
                let next = end + self.written()[end..].len() - self.written()[end..].trim_start_matches(' ').len();
                self.edit(entry.span.start..next, String::new())?;
            }
        }
        let column = self.column(entries.first().ok_or(Whole)?.span.start);
        let end = self.after_key(last).end;
        for (name, value) in added {
            self.line_after(end, &member_text(name, value)?, column)?;
        }
        Ok(())
    }

    /// The parts of a collection in brackets.
    fn change_flow(&mut self, parts: &[Span], removed: &[usize], added: &[String]) -> Result<(), Whole> {
        let kept: Vec<usize> = (0..parts.len()).filter(|at| !removed.contains(at)).collect();
        let (first, last) = (*kept.first().ok_or(Whole)?, *kept.last().ok_or(Whole)?);
        for at in removed {
            // With the comma before it, or at the start with the one behind it.
            let range =
                if *at < first { parts[*at].start..parts[*at + 1].start } else { parts[*at - 1].end..parts[*at].end };
            self.edit(range, String::new())?;
        }
        if !added.is_empty() {
            let end = parts[last].end;
            self.edit(end..end, format!(", {}", added.join(", ")))?;
        }
        Ok(())
    }

    /// Puts lines below the one on which something ends.
    fn line_after(&mut self, end: usize, text: &str, column: usize) -> Result<(), Whole> {
        let at = self.line_end(end);
        self.edit(at..at, format!("\n{}{}", " ".repeat(column), shifted(text, column)))
    }

    fn line_start(&self, at: usize) -> usize {
        self.written()[..at].rfind('\n').map_or(0, |line| line + 1)
    }

    fn line_end(&self, at: usize) -> usize {
        self.written()[at..].find('\n').map_or(self.written().len(), |end| at + end)
    }

    /// Gives whole lines, with the break before them: what is put behind the line above comes in front.
    fn lines(&self, start: usize, end: usize) -> Range<usize> {
        if start == 0 { 0..self.next_line(end) } else { start - 1..self.line_end(end) }
    }

    fn next_line(&self, at: usize) -> usize {
        (self.line_end(at) + 1).min(self.written().len())
    }

    fn column(&self, at: usize) -> usize {
        self.written()[self.line_start(at)..at].chars().count()
    }

    /// Finds the dash before an element of a block list.
    fn dash(&self, item: &Node) -> Option<usize> {
        let head = self.written()[..self.item(item).start].trim_end();
        head.ends_with('-').then(|| head.len() - 1)
    }
}

/// Indents all lines but the first and those that are empty.
fn shifted(text: &str, column: usize) -> String {
    let indent = " ".repeat(column);
    let lines = text.trim_end_matches('\n').split('\n').enumerate();
    let line = |(at, line): (usize, &str)| {
        if at == 0 {
            line.to_owned()
        } else if line.is_empty() {
            "\n".to_owned()
        } else {
            format!("\n{indent}{line}")
        }
    };
    lines.map(line).collect()
}

fn member_text(name: &str, value: &Value) -> Result<String, Whole> {
    yaml(serde_json::json!({ name: value })).map_err(|_| Whole)
}

/// Gives a key as it is written, with its colon.
fn member_key(name: &str) -> Result<String, Whole> {
    let text = member_text(name, &Value::Null)?;
    text.trim_end().strip_suffix(" null").map(str::to_owned).ok_or(Whole)
}

fn item_text(value: &Value) -> Result<String, Whole> {
    yaml(Value::Array(vec![value.clone()])).map_err(|_| Whole)
}

/// Brings a text that stands in a file of its own up to another one, line by line: lines that are equal stay as they
/// are written. Gives the text, and the markers that are lost by that.
pub(super) fn lines(read: &Substituted, text: &str) -> (String, Vec<Range<usize>>) {
    let diff = TextDiff::from_lines(read.text(), text);
    let (mut merged, mut lost) = (String::new(), Vec::new());
    let mut at = 0;
    for change in diff.iter_all_changes() {
        let length = if change.tag() == ChangeTag::Insert { 0 } else { change.value().len() };
        let range = at..at + length;
        at = range.end;
        let written = read.replaced.exact(&range).map(|origin| &read.source.text[origin]);
        match (change.tag(), written) {
            (ChangeTag::Equal, Some(written)) => merged += written,
            (ChangeTag::Delete, written) => {
                lost.extend(written.filter(|written| next_marker(written, 0).is_some()).map(|_| range));
            }
            (ChangeTag::Insert | ChangeTag::Equal, _) => merged += change.value(),
        }
    }
    (merged, lost)
}
