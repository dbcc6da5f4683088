use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Ask, Finish, Reading};
use crate::kinds::kind::{Condition, List, Paging};

fn list(paging: &[Paging]) -> List {
    List {
        summary: false,
        path: "/things".to_owned(),
        items: "things".to_owned(),
        paging: paging.to_vec(),
        size: 100,
        query: BTreeMap::from([("is_global".to_owned(), "false".to_owned())]),
        totals: true,
        only: Condition::default(),
        except: None,
        scopes: Vec::new(),
        bucket: None,
    }
}

fn things(range: std::ops::Range<u64>) -> Vec<Value> {
    range.map(|at| json!({"id": format!("t{at}")})).collect()
}

/// A server of `count` objects that cuts pages at `cap` and may leave the totals out.
#[derive(Clone, Copy)]
struct Server {
    count: u64,
    cap: u64,
    envelope: bool,
}

impl Server {
    fn answer(self, query: &[(String, String)]) -> Value {
        let get = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let number = |name: &str| get(name).and_then(|text| text.parse::<u64>().ok());
        if let Some(take) = number("take") {
            let start = number("from").unwrap_or(0);
            let end = (start + take.min(self.cap)).min(self.count);
            let next = (end < self.count).then(|| end.to_string());
            return match next {
                Some(next) => json!({"things": things(start..end), "next": next}),
                None => json!({"things": things(start..end)}),
            };
        }
        let (page, limit) = (number("page").unwrap(), number("per_page").unwrap().min(self.cap));
        let start = (page * limit).min(self.count);
        let items = things(start..(start + limit).min(self.count));
        if self.envelope {
            return json!({"start": start, "limit": limit, "total": self.count, "things": items});
        }
        Value::Array(items)
    }
}

/// Reads a list to its end; gives the end, the number of requests and that of rounds.
fn read(list: &List, answer: impl Fn(usize, &[(String, String)]) -> Value) -> (Finish, usize, usize) {
    read_by(Reading::new(list, Some("id")), answer)
}

fn read_by(mut reading: Reading<'_>, answer: impl Fn(usize, &[(String, String)]) -> Value) -> (Finish, usize, usize) {
    let (mut asks, mut requests, mut rounds) = (vec![reading.start()], 0, 0);
    loop {
        rounds += 1;
        let mut more = Vec::new();
        for ask in &asks {
            requests += 1;
            more.extend(reading.answered(ask, answer(requests, &reading.query(ask))).unwrap());
        }
        asks = more;
        if asks.is_empty() {
            match reading.finish() {
                Finish::Again(again) => asks = again,
                end => return (end, requests, rounds),
            }
        }
    }
}

fn count(finish: &Finish) -> usize {
    match finish {
        Finish::Complete(items) => items.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_list_is_read_to_its_end_with_the_requests_that_it_needs() {
    use Paging::{Checkpoint, Page};
    /// Paging, objects, largest page, totals; requests, rounds.
    type Case = (&'static [Paging], u64, u64, bool, usize, usize);
    let cases: [Case; 12] = [
        (&[Page], 0, 100, true, 1, 1),
        (&[Page], 100, 100, true, 1, 1),
        (&[Page], 101, 100, true, 2, 2),
        (&[Page], 950, 100, true, 10, 2),
        (&[Page], 950, 50, true, 19, 2),
        (&[Page, Checkpoint], 950, 100, true, 10, 2),
        (&[Page, Checkpoint], 1001, 100, true, 12, 12),
        (&[Page], 0, 100, false, 1, 1),
        (&[Page], 200, 100, false, 3, 3),
        (&[Page], 70, 50, false, 3, 3),
        (&[Checkpoint], 250, 100, false, 3, 3),
        (&[Checkpoint, Page], 0, 100, false, 1, 1),
    ];
    for (paging, objects, cap, envelope, requests, rounds) in cases {
        let server = Server { count: objects, cap, envelope };
        let (finish, sent, chain) = read(&list(paging), |_, query| server.answer(query));
        assert_eq!(count(&finish) as u64, objects, "{paging:?} {objects}");
        assert_eq!((sent, chain), (requests, rounds), "{paging:?} {objects} {cap} {envelope}");
    }
}

#[test]
fn a_list_that_is_expected_to_be_beyond_page_numbers_is_read_by_marks_from_the_start() {
    let list = list(&[Paging::Page, Paging::Checkpoint]);
    let server = Server { count: 1001, cap: 100, envelope: true };
    for (expected, requests) in [(1001, 11), (1000, 12)] {
        let reading = Reading::expecting(&list, Some("id"), expected);
        let (finish, sent, _) = read_by(reading, |_, query| server.answer(query));
        assert_eq!((count(&finish), sent), (1001, requests), "{expected}");
    }
}

#[test]
fn the_query_holds_what_the_declaration_fixes() {
    let list = list(&[Paging::Page, Paging::Checkpoint]);
    let reading = Reading::new(&list, Some("id"));
    let text = |ask| reading.query(&ask).iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("&");
    assert_eq!(text(Ask::Page(0)), "is_global=false&page=0&per_page=100&include_totals=true");
    assert_eq!(text(Ask::After(Some("x".to_owned()))), "is_global=false&take=100&from=x");
    assert_eq!(text(Ask::All), "is_global=false");
}

#[test]
fn one_answer_may_be_bare_or_in_an_envelope() {
    for answer in [json!([{"id": "a"}]), json!({"things": [{"id": "a"}]})] {
        let (finish, requests, _) = read(&list(&[Paging::None]), |_, _| answer.clone());
        assert_eq!((count(&finish), requests), (1, 1));
    }
}

#[test]
fn a_server_that_ignores_the_page_number_is_read_once_more_and_no_further() {
    let (finish, requests, _) = read(&list(&[Paging::Page]), |_, _| Value::Array(things(0..120)));
    assert_eq!((count(&finish), requests), (120, 2));
}

#[test]
fn a_mark_after_the_last_object_ends_at_the_empty_page() {
    let (finish, requests, _) = read(&list(&[Paging::Checkpoint]), |at, _| match at {
        1 => json!({"things": things(0..2), "next": "a"}),
        _ => json!({"things": [], "next": "b"}),
    });
    assert_eq!((count(&finish), requests), (2, 2));
}

#[test]
fn a_mark_in_the_answer_to_a_page_number_is_followed() {
    let (finish, requests, _) = read(&list(&[Paging::Page]), |at, _| match at {
        1 => json!({"things": things(0..2), "next": "a"}),
        _ => json!({"things": things(2..3)}),
    });
    assert_eq!((count(&finish), requests), (3, 2));
}

#[test]
fn a_stand_in_that_knows_no_marks_is_read_by_page_numbers() {
    for total in [150, 1500] {
        let server = Server { count: total, cap: 100, envelope: true };
        let (finish, requests, rounds) = read(&list(&[Paging::Checkpoint, Paging::Page]), |_, query| {
            let first = [("page".to_owned(), "0".to_owned()), ("per_page".to_owned(), "100".to_owned())];
            server.answer(if query.iter().any(|(name, _)| name == "take") { &first } else { query })
        });
        assert_eq!((count(&finish) as u64, requests as u64, rounds), (total, total.div_ceil(100) + 1, 3));
    }
}

#[test]
fn a_mark_that_comes_twice_is_an_error() {
    let list = list(&[Paging::Checkpoint]);
    let mut reading = Reading::new(&list, Some("id"));
    let first = reading.answered(&Ask::After(None), json!({"things": things(0..1), "next": "a"})).unwrap();
    let error = reading.answered(&first[0], json!({"things": things(1..2), "next": "a"})).unwrap_err();
    assert!(error.contains("twice"), "{error}");
}

#[test]
fn a_list_without_end_is_an_error() {
    let list = list(&[Paging::Page]);
    let mut reading = Reading::new(&list, Some("id"));
    let error = reading.answered(&Ask::Page(0), json!({"total": u64::MAX, "things": things(0..1)})).unwrap_err();
    assert!(error.contains("at most"), "{error}");
}

#[test]
fn a_list_that_changes_while_it_is_read_is_read_again() {
    let server = Server { count: 150, cap: 100, envelope: true };
    let (finish, requests, _) = read(&list(&[Paging::Page]), |at, query| match at {
        // Between the pages an object went, so that the second page begins one too late.
        2 => json!({"start": 100, "limit": 100, "total": 149, "things": things(101..150)}),
        _ => server.answer(query),
    });
    assert_eq!((count(&finish), requests), (150, 4));
}

#[test]
fn a_list_that_stays_short_is_an_error() {
    let (finish, _, _) = read(&list(&[Paging::Page]), |_, query| {
        let page = query.iter().find(|(name, _)| name == "page").unwrap().1.clone();
        match page.as_str() {
            "0" => json!({"start": 0, "limit": 100, "total": 150, "things": things(0..100)}),
            _ => json!({"start": 100, "limit": 100, "total": 150, "things": things(90..139)}),
        }
    });
    assert!(
        matches!(&finish, Finish::Failed(why) if why.contains("the API says 150 and gave 139 objects")),
        "{finish:?}"
    );
}

#[test]
fn a_page_size_that_is_refused_is_asked_again_smaller() {
    let list = list(&[Paging::Page]);
    let mut reading = Reading::new(&list, Some("id"));
    assert_eq!(reading.refused(&Ask::Page(0)), Some(vec![Ask::Page(0)]));
    assert!(reading.query(&Ask::Page(0)).contains(&("per_page".to_owned(), "50".to_owned())));
    assert_eq!(reading.refused(&Ask::Page(0)), None);
}

#[test]
fn pages_are_as_large_as_the_first_one_whatever_it_says() {
    for limit in [json!({"limit": 100}), json!({})] {
        let server = Server { count: 170, cap: 50, envelope: true };
        let (finish, requests, rounds) = read(&list(&[Paging::Page]), |_, query| {
            let mut answer = server.answer(query);
            answer.as_object_mut().unwrap().remove("limit");
            answer.as_object_mut().unwrap().extend(limit.as_object().unwrap().clone());
            answer
        });
        assert_eq!((count(&finish), requests, rounds), (170, 4, 2), "{limit}");
    }
}

#[test]
fn beyond_the_window_of_page_numbers_a_list_is_read_by_marks() {
    let list = list(&[Paging::Page]);
    let server = Server { count: 1150, cap: 100, envelope: true };
    let mut reading = Reading::new(&list, Some("id"));
    let mut asks = vec![reading.start()];
    while let Some(ask) = asks.pop() {
        match ask {
            Ask::Page(10..) => asks.extend(reading.refused(&ask).unwrap()),
            _ => asks.extend(reading.answered(&ask, server.answer(&reading.query(&ask))).unwrap()),
        }
    }
    assert_eq!(count(&reading.finish()), 1150);
}

#[test]
fn a_list_that_knows_neither_marks_nor_pages_beyond_the_window_is_an_error() {
    let list = list(&[Paging::Page]);
    let first = json!({"limit": 100, "total": 1150, "things": things(0..100)});
    for without in [first.clone(), Value::Array(things(0..50))] {
        let mut reading = Reading::new(&list, Some("id"));
        reading.answered(&Ask::Page(0), first.clone()).unwrap();
        assert_eq!(reading.refused(&Ask::Page(10)), Some(vec![Ask::After(None)]));
        assert_eq!(reading.refused(&Ask::Page(11)), Some(vec![]));
        assert!(reading.answered(&Ask::After(None), without).unwrap_err().contains("neither"));
    }
    let mut reading = Reading::new(&list, Some("id"));
    reading.answered(&Ask::Page(0), first).unwrap();
    reading.refused(&Ask::Page(10)).unwrap();
    reading.answered(&Ask::After(None), json!({"things": things(0..50)})).unwrap();
    assert!(matches!(reading.finish(), Finish::Again(_)), "fewer than the API says there are");
}

#[test]
fn an_answer_that_is_no_list_is_an_error() {
    let list = list(&[Paging::Page]);
    let mut reading = Reading::new(&list, Some("id"));
    for (answer, word) in [
        (json!({"other": []}), "no member `things`"),
        (json!({"things": {}}), "not a list"),
        (json!(["a"]), "not an object"),
        (json!("a"), "neither"),
    ] {
        let error = reading.answered(&Ask::Page(0), answer).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
}
