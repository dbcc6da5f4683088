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

use super::page::Page;
use crate::kinds::kind::{List, Paging};

/// As far as page numbers reach (paging.md of the API facts, "Window of 1,000").
const WINDOW: u64 = 1_000;
/// The page size that every list takes: the general page of the documentation names it as the
/// largest on public cloud (paging.md of the API facts, "Page sizes").
const SAFE_SIZE: u64 = 50;

/// The largest list that is read, in objects; one that says it is larger, or does not end, is broken.
const LARGEST: u64 = 1_000_000;

/// How often a list that changes while it is read is read.
const MOST_READINGS: u32 = 4;

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
    /// Both ways to read were tried: no more changing.
    is_settled: bool,
    /// How often it was read from the start again.
    readings: u32,
    /// The fewest objects there are, where the answer before reading by marks said it.
    least: u64,
    items: Vec<(Ask, Vec<Item>)>,
    totals: BTreeSet<u64>,
    marks: HashSet<String>,
}

impl<'a> Reading<'a> {
    /// Begins a list that probably has so many objects: one that page numbers can't reach to its end is
    /// read by marks from the start.
    #[must_use]
    pub fn expecting(list: &'a List, id: Option<&'a str>, count: usize) -> Self {
        let mut reading = Self::new(list, id);
        reading.by_marks |= count as u64 > WINDOW && list.paging.contains(&Paging::Checkpoint);
        reading
    }

    /// Begins; `id` is the member that holds an object's handle.
    #[must_use]
    pub fn new(list: &'a List, id: Option<&'a str>) -> Self {
        Self {
            list,
            id,
            size: list.size as u64,
            by_marks: list.paging.first() == Some(&Paging::Checkpoint),
            is_settled: false,
            readings: 1,
            least: 0,
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
                query.extend([pair("page", &page.to_string()), pair("per_page", &size)]);
                query.extend(self.list.totals.then(|| pair("include_totals", "true")));
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
        let read = self.items.iter().map(|(_, items)| items.len() as u64).sum::<u64>() + page.items.len() as u64;
        let count = read.max(page.total.unwrap_or(0));
        if count > LARGEST {
            return Err(format!("the list has {count} objects or more, and tenantctl reads {LARGEST} at most"));
        }
        let more = match ask {
            Ask::All => Vec::new(),
            Ask::After(None) if page.is_bare && !page.items.is_empty() => return self.by_pages(),
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
        if total > WINDOW && self.list.paging.contains(&Paging::Checkpoint) && !self.is_settled {
            self.by_marks = true;
            self.least = total;
            return vec![Ask::After(None)];
        }
        self.other_pages(page, total)
    }

    /// Gives the pages after the first. What the first one holds counts: pages as large as we asked
    /// for, or as the answer's own `limit` says, may not exist.
    fn other_pages(&self, first: &Page, total: u64) -> Vec<Ask> {
        let held = first.items.len() as u64;
        if held >= total {
            return Vec::new();
        }
        let size = if held > 0 { held } else { first.limit.unwrap_or(self.size) };
        (1..total.div_ceil(size.max(1))).map(Ask::Page).collect()
    }

    /// Turns to page numbers, for an endpoint that knows no marks.
    fn by_pages(&mut self) -> Result<Vec<Ask>, String> {
        if self.is_settled {
            return Err("it can be read neither by page numbers nor by marks".to_owned());
        }
        self.by_marks = false;
        self.is_settled = true;
        Ok(vec![Ask::Page(0)])
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
            None if is_first && page.total.is_some_and(|total| total > page.items.len() as u64) => self.by_pages(),
            None => Ok(Vec::new()),
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
    /// (paging.md of the API facts, "Page sizes"). It refuses page numbers beyond the first 1,000
    /// objects and names marks as the way ("Window of 1,000"), also where no one says that the list
    /// knows them.
    pub fn refused(&mut self, ask: &Ask) -> Option<Vec<Ask>> {
        match ask {
            Ask::Page(0) | Ask::After(None) if self.size > SAFE_SIZE => {
                self.size = SAFE_SIZE;
                Some(vec![ask.clone()])
            }
            Ask::Page(1..) if self.by_marks => Some(Vec::new()),
            Ask::Page(1..) if !self.is_settled => {
                let read = self.items.iter().map(|(_, items)| items.len() as u64).sum();
                let least = self.totals.iter().copied().max().unwrap_or(read);
                (least >= WINDOW).then(|| {
                    (self.by_marks, self.is_settled, self.least) = (true, true, least);
                    vec![Ask::After(None)]
                })
            }
            _ => None,
        }
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
        let is_complete = if self.by_marks {
            found.len() as u64 >= self.least
        } else {
            totals.is_empty() || totals == [found.len() as u64]
        };
        if is_complete {
            return Finish::Complete(found);
        }
        if self.readings >= MOST_READINGS {
            let totals: Vec<String> =
                totals.iter().chain([&self.least]).filter(|n| **n > 0).map(u64::to_string).collect();
            return Finish::Failed(format!(
                "the list is not complete: the API says {} and gave {}, {MOST_READINGS} times",
                totals.join(", then "),
                crate::text::plural(found.len(), "object")
            ));
        }
        *self = Self {
            readings: self.readings + 1,
            size: self.size,
            is_settled: self.is_settled,
            by_marks: self.by_marks && self.list.paging.first() == Some(&Paging::Checkpoint),
            ..Self::new(self.list, self.id)
        };
        Finish::Again(vec![self.start()])
    }
}

/// Tells objects of a list apart: by their handle, or as a whole where they have none.
fn handle(item: &Item, id: Option<&str>) -> String {
    let handle = id.and_then(|id| item.get(id)).and_then(Value::as_str).map(str::to_owned);
    handle.unwrap_or_else(|| serde_json::to_string(item).expect("a JSON map has text"))
}

#[cfg(test)]
#[path = "paging_tests.rs"]
mod tests;
