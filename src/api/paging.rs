//! Reading a list to its end: what was answered decides what is asked next.
//!
//! Pure: it knows neither requests nor tenants, only a list's declaration and answers. A list that
//! was read is complete, or reading it fails: a plan must never delete because of a short list.
//!
//! ```text
//!   start -> Ask -> answered -> more Asks, side by side -> finish -> Complete | Again | Failed
//!                      by page:       as many as `total` and `limit` say
//!                      by checkpoint: one, with the answer's `next`
//! ```

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value};

use crate::kinds::kind::{List, Paging};

/// As far as page numbers reach (paging.md of the API facts, "Window of 1,000").
const WINDOW: u64 = 1_000;
/// The page size that every list takes: the general page of the documentation names it as the
/// largest on public cloud (paging.md of the API facts, "Page sizes").
const SAFE_SIZE: u64 = 50;

/// One object as the API gives it.
pub type Item = Map<String, Value>;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// All, in one answer.
    All,
    /// The page of this number, from 0.
    Page(u64),
    /// The page after this mark; the first one without.
    After(Option<String>),
}

/// What came of reading a list.
#[derive(Debug, PartialEq)]
pub enum Finish {
    /// All objects, each once.
    Complete(Vec<Item>),
    /// The list changed while it was read: it must be read again, from here.
    Again(Vec<Ask>),
    /// It can't be read; why.
    Failed(String),
}

/// A list that is being read.
#[derive(Debug)]
pub struct Reading<'a> {
    list: &'a List,
    id: Option<&'a str>,
    size: u64,
    by_marks: bool,
    is_second: bool,
    items: Vec<(Ask, Vec<Item>)>,
    totals: BTreeSet<u64>,
    marks: HashSet<String>,
}

impl<'a> Reading<'a> {
    /// Begins; `id` is the member that holds an object's handle.
    #[must_use]
    pub fn new(list: &'a List, id: Option<&'a str>) -> Self {
        Self {
            list,
            id,
            size: list.size as u64,
            by_marks: list.paging.first() == Some(&Paging::Checkpoint),
            is_second: false,
            items: Vec::new(),
            totals: BTreeSet::new(),
            marks: HashSet::new(),
        }
    }

    /// Gives the first thing to ask.
    #[must_use]
    pub fn start(&self) -> Ask {
        match self.list.paging.first() {
            None | Some(Paging::None) => Ask::All,
            Some(_) if self.by_marks => Ask::After(None),
            Some(_) => Ask::Page(0),
        }
    }

    /// Gives the query that asks it.
    #[must_use]
    pub fn query(&self, ask: &Ask) -> Vec<(String, String)> {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let size = self.size.to_string();
        let mut query: Vec<(String, String)> =
            self.list.query.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        match ask {
            Ask::All => {}
            Ask::Page(page) => {
                query.extend([
                    pair("page", &page.to_string()),
                    pair("per_page", &size),
                    pair("include_totals", "true"),
                ]);
            }
            Ask::After(mark) => {
                query.push(pair("take", &size));
                query.extend(mark.as_deref().map(|mark| pair("from", mark)));
            }
        }
        query
    }

    /// Takes an answer, and gives what to ask because of it.
    ///
    /// # Errors
    /// Says what is wrong with the answer.
    pub fn answered(&mut self, ask: &Ask, answer: Value) -> Result<Vec<Ask>, String> {
        let page = Page::read(&self.list.items, answer)?;
        let more = match ask {
            Ask::All => Vec::new(),
            Ask::After(mark) => self.after_mark(mark.is_none(), &page)?,
            Ask::Page(0) => self.after_first(&page),
            Ask::Page(number) => self.after_page(*number, &page),
        };
        self.totals.extend(page.total.filter(|_| matches!(ask, Ask::Page(_)) && !self.by_marks));
        self.items.push((ask.clone(), page.items));
        Ok(more)
    }

    /// Decides after the first page of a list that is read by page numbers.
    fn after_first(&mut self, page: &Page) -> Vec<Ask> {
        if let Some(next) = &page.next {
            self.by_marks = true;
            self.marks.insert(next.clone());
            return vec![Ask::After(Some(next.clone()))];
        }
        let Some(total) = page.total else { return self.after_page(0, page) };
        if total > WINDOW && self.list.paging.contains(&Paging::Checkpoint) {
            self.by_marks = true;
            return vec![Ask::After(None)];
        }
        self.other_pages(page, total)
    }

    /// Gives the pages after the first. The answer's own `limit` counts: pages as large as we asked
    /// for may not exist.
    fn other_pages(&self, first: &Page, total: u64) -> Vec<Ask> {
        if first.items.len() as u64 >= total {
            return Vec::new();
        }
        (1..total.div_ceil(first.limit.unwrap_or(self.size).max(1))).map(Ask::Page).collect()
    }

    /// Decides after a page of which it is not known how many follow.
    ///
    /// Where the answer does not tell its page size, a short page proves nothing: the size asked
    /// for may have been cut. Then the first page that brings nothing new is the last.
    fn after_page(&self, number: u64, page: &Page) -> Vec<Ask> {
        let is_known = !self.totals.is_empty() || page.total.is_some() && number > 0;
        let is_short = page.limit.is_some_and(|limit| (page.items.len() as u64) < limit);
        if is_known || is_short || !self.brings_new(page) { Vec::new() } else { vec![Ask::Page(number + 1)] }
    }

    /// Decides after a page of a list that is read by marks.
    fn after_mark(&mut self, is_first: bool, page: &Page) -> Result<Vec<Ask>, String> {
        match &page.next {
            // `next` can come even after the last object (paging.md of the API facts).
            Some(_) if page.items.is_empty() => Ok(Vec::new()),
            Some(next) if !self.marks.insert(next.clone()) => {
                Err(format!("the API gave the mark `{next}` twice, so the list has no end"))
            }
            Some(next) => Ok(vec![Ask::After(Some(next.clone()))]),
            // A stand-in that knows page numbers only.
            None => match page.total.filter(|total| is_first && *total > page.items.len() as u64) {
                Some(total) => {
                    self.by_marks = false;
                    Ok(self.other_pages(page, total))
                }
                None => Ok(Vec::new()),
            },
        }
    }

    fn brings_new(&self, page: &Page) -> bool {
        let before = self.items.iter().flat_map(|(_, items)| items);
        let seen: HashSet<String> = before.map(|item| handle(item, self.id)).collect();
        page.items.iter().any(|item| !seen.contains(&handle(item, self.id)))
    }

    /// Takes the refusal of a query: gives what to ask in its place, if there is something.
    ///
    /// The API refuses a page size that is too large with 400, or cuts it; no one says which
    /// (paging.md of the API facts, "Page sizes").
    pub fn refused(&mut self, ask: &Ask) -> Option<Ask> {
        let is_first = matches!(ask, Ask::Page(0) | Ask::After(None));
        (is_first && self.size > SAFE_SIZE).then(|| {
            self.size = SAFE_SIZE;
            ask.clone()
        })
    }

    /// Ends the reading, when everything asked for was answered.
    #[must_use]
    pub fn finish(&mut self) -> Finish {
        let mut pages = std::mem::take(&mut self.items);
        pages.sort_by_key(|(ask, _)| if let Ask::Page(number) = ask { *number } else { u64::MAX });
        let mut seen = HashSet::new();
        let items = pages.into_iter().flat_map(|(_, items)| items);
        let found: Vec<Item> = items.filter(|item| seen.insert(handle(item, self.id))).collect();
        let totals: Vec<u64> = self.totals.iter().copied().collect();
        if self.by_marks || totals.is_empty() || totals == [found.len() as u64] {
            return Finish::Complete(found);
        }
        if self.is_second {
            let totals: Vec<String> = totals.iter().map(u64::to_string).collect();
            return Finish::Failed(format!(
                "the list is not complete: the API says {} and gave {}, two times",
                totals.join(", then "),
                crate::text::plural(found.len(), "object")
            ));
        }
        let size = self.size;
        *self = Self { is_second: true, size, ..Self::new(self.list, self.id) };
        Finish::Again(vec![self.start()])
    }
}

/// Tells objects of a list apart: by their handle, or as a whole where they have none.
fn handle(item: &Item, id: Option<&str>) -> String {
    let handle = id.and_then(|id| item.get(id)).and_then(Value::as_str).map(str::to_owned);
    handle.unwrap_or_else(|| Value::Object(item.clone()).to_string())
}

#[derive(Debug)]
struct Page {
    items: Vec<Item>,
    limit: Option<u64>,
    total: Option<u64>,
    next: Option<String>,
}

impl Page {
    /// Reads a bare array, or an envelope; the lists of the actions family name their page size
    /// `per_page` (paging.md of the API facts, "Styles").
    fn read(member: &str, answer: Value) -> Result<Self, String> {
        let (items, mut envelope) = match answer {
            Value::Array(items) => (items, Map::new()),
            Value::Object(mut envelope) => match envelope.remove(member) {
                Some(Value::Array(items)) => (items, envelope),
                Some(_) => return Err(format!("the member `{member}` of the answer is not a list")),
                None => return Err(format!("the answer has no member `{member}`")),
            },
            _ => return Err("the answer is neither a list nor an object".to_owned()),
        };
        let items = items.into_iter().map(|item| match item {
            Value::Object(item) => Ok(item),
            other => Err(format!("the list holds something that is not an object: {}", kind_of(&other))),
        });
        let number = |name: &str| envelope.get(name).and_then(Value::as_u64);
        let limit = number("limit").or_else(|| number("per_page")).filter(|limit| *limit > 0);
        let total = number("total");
        let next = match envelope.remove("next") {
            Some(Value::String(next)) if !next.is_empty() => Some(next),
            _ => None,
        };
        Ok(Self { items: items.collect::<Result<_, _>>()?, limit, total, next })
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
#[path = "paging_tests.rs"]
mod tests;
