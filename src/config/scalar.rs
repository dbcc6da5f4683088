//! What a plain YAML scalar means: the core schema as js-yaml 4 reads it, so that a file means the
//! same here and to the Deploy CLI.
//!
//! Pure; knows neither positions nor kinds. The differences to js-yaml are deliberate: dates stay
//! texts (the reader warns), infinities and not-a-number are errors.

use serde_json::{Number, Value};

/// What a plain scalar turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Plain {
    /// A value.
    Value(Value),
    /// A text that js-yaml would take for a date.
    Date(String),
    /// `.inf` or `.nan`: no JSON value.
    NotFinite,
}

/// Resolves a plain scalar.
#[must_use]
pub fn plain(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Value(Value::Null),
        "true" | "True" | "TRUE" => return Plain::Value(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Plain::Value(Value::Bool(false)),
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Plain::NotFinite;
    }
    if let Some(number) = integer(text).or_else(|| float(text)) {
        return Plain::Value(Value::Number(number));
    }
    if is_date(text) { Plain::Date(text.to_owned()) } else { Plain::Value(Value::from(text)) }
}

/// Reads a whole number: decimal (leading zeros mean nothing), `0b`, `0o`, `0x`.
fn integer(text: &str) -> Option<Number> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0b") => (2, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0x") => (16, &digits[2..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    match u64::from_str_radix(digits, radix) {
        Ok(0) => Some(Number::from(0)),
        Ok(value) if is_negative => match 0_i64.checked_sub_unsigned(value) {
            Some(value) => Some(Number::from(value)),
            None => digits.parse::<f64>().ok().and_then(|value| Number::from_f64(-value)),
        },
        Ok(value) => Some(Number::from(value)),
        Err(_) if radix == 10 => text.parse::<f64>().ok().filter(|value| value.is_finite()).and_then(Number::from_f64),
        Err(_) => None,
    }
}

/// Reads a number with a point or an exponent. A sign before a leading point makes it a text.
fn float(text: &str) -> Option<Number> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (text, None),
    };
    if exponent.is_some_and(|exponent| !is_number(exponent)) {
        return None;
    }
    let fits = if let Some(digits) = mantissa.strip_prefix('.') {
        is_number(digits)
    } else {
        let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let (whole, part) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        is_number(whole) && (part.is_empty() || is_number(part))
    };
    let value = text.parse::<f64>().ok().filter(|value| fits && value.is_finite())?;
    number(value)
}

/// Makes a number, whole where it is whole and exact.
#[must_use]
pub fn number(value: f64) -> Option<Number> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within the exact range")]
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}

/// Tells whether js-yaml would make a date of it: a day, or a day and a time.
fn is_date(text: &str) -> bool {
    let mut bytes = text.bytes();
    let mut digits = |least: usize, most: usize, ends: &[u8]| {
        let mut count = 0;
        loop {
            match bytes.next() {
                Some(byte) if byte.is_ascii_digit() && count < most => count += 1,
                Some(byte) => return (count >= least && ends.contains(&byte)).then_some(Some(byte)),
                None => return (count >= least).then_some(None),
            }
        }
    };
    let Some(Some(_)) = digits(4, 4, b"-") else { return false };
    let Some(Some(_)) = digits(1, 2, b"-") else { return false };
    match digits(1, 2, b"Tt \t") {
        Some(None) => text.len() == "2024-01-01".len(),
        Some(Some(_)) => matches!(digits(1, 2, b":"), Some(Some(_))) && matches!(digits(2, 2, b":"), Some(Some(_))),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Plain, plain};

    #[test]
    fn plain_scalars_mean_what_js_yaml_takes_them_for() {
        let cases = [
            ("yes", json!("yes")),
            ("tRue", json!("tRue")),
            ("True", json!(true)),
            ("~", json!(null)),
            ("", json!(null)),
            ("0o14", json!(12)),
            ("014", json!(14)),
            ("08", json!(8)),
            ("0b11", json!(3)),
            ("-0x1F", json!(-31)),
            ("1e3", json!(1000)),
            ("1_000", json!("1_000")),
            ("1e400", json!("1e400")),
            ("1.", json!(1)),
            (".5", json!(0.5)),
            ("-.5", json!("-.5")),
            ("1.5", json!(1.5)),
            ("1:30", json!("1:30")),
            ("99999999999999999999", json!(1e20)),
            ("1.2.3", json!("1.2.3")),
            ("0x", json!("0x")),
            ("inf", json!("inf")),
            ("é", json!("é")),
        ];
        for (text, value) in cases {
            assert_eq!(plain(text), Plain::Value(value), "{text}");
        }
    }

    #[test]
    fn dates_and_infinities_are_told_apart() {
        for text in ["2024-01-01", "2024-1-1 10:00:00", "2024-01-01T10:00:00Z"] {
            assert!(matches!(plain(text), Plain::Date(_)), "{text}");
        }
        for text in ["2024-1-1", "2024-01-01-x", "2024-01"] {
            assert!(matches!(plain(text), Plain::Value(_)), "{text}");
        }
        for text in [".inf", "-.Inf", ".nan"] {
            assert_eq!(plain(text), Plain::NotFinite, "{text}");
        }
    }
}
