//! Tables for the reading of faults, and for whom they strike.

use super::{EXAMPLES, Fate, Fault, Script, What, shuffle};

fn script(texts: &[&str], seed: u64) -> Script {
    Script::new(texts.iter().map(|text| text.parse().unwrap()).collect(), seed)
}

fn struck(fate: &Fate) -> String {
    let strikes = [&fate.answer, &fate.lag, &fate.shuffle];
    strikes.into_iter().flatten().map(|strike| strike.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// Which of 40 reads of one path are struck.
fn reads(texts: &[&str], seed: u64) -> Vec<u64> {
    let mut script = script(texts, seed);
    let fates = std::iter::repeat_with(|| script.decide("GET", "/api/v2/clients")).take(40);
    fates.filter(|fate| fate.answer.is_some()).map(|fate| fate.number).collect()
}

#[test]
fn what_goes_wrong_is_read_with_its_default() {
    let status = |status, retry_after| What::Status { status, retry_after };
    let cases = [
        ("429", status(429, Some(1))),
        ("429=7", status(429, Some(7))),
        ("429=0", status(429, Some(0))),
        ("500", status(500, None)),
        ("503", status(503, None)),
        ("503=3", status(503, Some(3))),
        ("404", status(404, None)),
        ("html", What::Html(502)),
        ("html=200", What::Html(200)),
        ("truncate", What::Truncate),
        ("reset-before", What::ResetBefore),
        ("reset-after", What::ResetAfter),
        ("slow", What::Slow(1000)),
        ("slow=20", What::Slow(20)),
        ("hang", What::Hang),
        ("lag=500", What::Lag(500)),
        ("shuffle", What::Shuffle),
        ("refuse", What::Refuse),
    ];
    for (text, what) in cases {
        assert_eq!(text.parse::<Fault>().unwrap().what(), what, "{text}");
        assert_eq!(format!("{text}@GET /clients*#2-").parse::<Fault>().unwrap().what(), what, "{text}");
    }
}

#[test]
fn what_is_no_fault_says_why() {
    let cases = [
        ("", "there is no fault ``"),
        ("rest-after", "there is no fault `rest-after`"),
        ("399", "`399` is no status from 400 to 599"),
        ("600@3", "`600` is no status"),
        ("500x", "`500x` is no status"),
        ("html=100", "`100` is no status from 200"),
        ("429=soon", "`soon` after `429=` is no number of seconds"),
        ("slow=-1", "`-1` after `slow=` is no number of milliseconds"),
        ("lag", "`lag` wants the milliseconds"),
        ("hang=3", "`hang` takes no value"),
        ("500@", "nothing stands after `@`"),
        ("500@0", "`0` says of no request"),
        ("500@5-3", "`5-3` says of no request"),
        ("500@101%", "`101%` says of no request"),
        ("500@clients", "`clients` says of no request"),
        ("500@/clients#", "`` says of no request"),
        ("500@3 /clients", "`3` before the path is no method"),
    ];
    for (text, why) in cases {
        let wrong = text.parse::<Fault>().unwrap_err();
        assert!(wrong.to_string().starts_with(why), "{text}: {wrong}");
        assert_eq!(wrong.unknown.is_some(), why.starts_with("there is no fault"), "{text}");
    }
    for example in EXAMPLES {
        assert!(example.parse::<Fault>().is_ok(), "{example}");
    }
}

#[test]
fn numbers_and_ranges_strike_just_those_requests() {
    let cases: [(&str, &[u64]); 6] = [
        ("500@3", &[3]),
        ("500@3-5", &[3, 4, 5]),
        ("500@38-", &[38, 39, 40]),
        ("500@GET /clients#2", &[2]),
        ("500@/clients#39-", &[39, 40]),
        ("500@POST /clients", &[]),
    ];
    for (text, numbers) in cases {
        assert_eq!(reads(&[text], 0), numbers, "{text}");
    }
    assert_eq!(reads(&["500"], 0).len(), 40);
}

#[test]
fn a_path_is_counted_by_itself() {
    let requests = [
        ("POST", "/oauth/token"),
        ("GET", "/api/v2/clients"),
        ("POST", "/api/v2/clients"),
        ("GET", "/api/v2/clients/a/credentials"),
        ("GET", "/api/v2/roles"),
    ];
    let cases: [(&str, &[u64]); 9] = [
        ("500@/clients", &[2, 3]),
        ("500@/api/v2/clients", &[2, 3]),
        ("500@/clients*", &[2, 3, 4]),
        ("500@GET /clients*", &[2, 4]),
        ("500@get /clients*#2", &[4]),
        ("500@/clients/*/credentials", &[4]),
        ("500@/oauth/token", &[1]),
        ("500@/*#5", &[5]),
        ("500@/a*", &[]),
    ];
    for (text, numbers) in cases {
        let mut script = script(&[text], 0);
        let fates = requests.map(|(method, path)| script.decide(method, path));
        let found: Vec<u64> = fates.iter().filter(|fate| fate.answer.is_some()).map(|fate| fate.number).collect();
        assert_eq!(found, numbers, "{text}");
    }
}

#[test]
fn the_first_that_fits_strikes_and_lag_and_shuffle_go_with_any() {
    let mut script = script(&["shuffle", "429@2-3", "lag=9@3-", "500@1-2", "lag=5"], 0);
    let mut next = || struck(&script.decide("GET", "/api/v2/roles"));
    assert_eq!(next(), "500 lag=5 shuffle");
    // The second fault was there already when the third one would have fitted.
    assert_eq!(next(), "429 lag=5 shuffle");
    assert_eq!(next(), "429 lag=9 shuffle");
    assert_eq!(next(), "lag=9 shuffle");
    assert_eq!(script.longest_lag(), Some(9));
}

#[test]
fn chance_is_the_same_for_the_same_seed_and_about_what_was_asked() {
    assert_eq!(reads(&["500@30%"], 7), reads(&["500@30%"], 7));
    assert_ne!(reads(&["500@30%"], 7), reads(&["500@30%"], 8));
    assert_eq!(reads(&["500@100%"], 7).len(), 40);
    let mut script = script(&["500@10%", "503@10%"], 1);
    let fates: Vec<String> = (0..10_000).map(|_| struck(&script.decide("GET", "/"))).collect();
    let count = |text: &str| fates.iter().filter(|fate| *fate == text).count();
    // Each strikes by a chance of its own, and the first one goes before.
    assert!((900..1100).contains(&count("500")), "{}", count("500"));
    assert!((800..1000).contains(&count("503")), "{}", count("503"));
}

#[test]
fn an_order_is_a_number_and_loses_nothing() {
    let order = |random| {
        let mut items: Vec<u8> = (0..20).collect();
        shuffle(&mut items, random);
        items
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
    let mut sorted = order(3);
    sorted.sort_unstable();
    assert!(sorted.into_iter().eq(0..20));
    shuffle::<u8>(&mut [], 1);
}
