//! What JavaScript makes of a value, since keywords go into texts as the Deploy CLI puts them there.
//!
//! Pure; knows neither texts nor keywords. Whole numbers keep all their digits, which JavaScript
//! would round beyond 2^53.

use serde_json::{Map, Number, Value};

/// Gives the text of a value, as `String(value)`; none for a map, of which no text can be made.
#[must_use]
pub fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number_text(number)),
        Value::Bool(_) | Value::Null => Some(value.to_string()),
        Value::Array(items) => {
            let texts: Option<Vec<String>> =
                items.iter().map(|item| if item.is_null() { Some(String::new()) } else { plain_text(item) }).collect();
            texts.map(|texts| texts.join(","))
        }
        Value::Object(_) => None,
    }
}

/// Gives the JSON of a value, as `JSON.stringify(value)`, but for characters that YAML takes as
/// escapes only, which are escapes.
#[must_use]
pub fn json_text(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Number(number) => number_text(number),
        Value::Array(items) => format!("[{}]", items.iter().map(json_text).collect::<Vec<_>>().join(",")),
        Value::Object(members) => {
            let member = |(name, value)| format!("{}:{}", quoted(name), json_text(value));
            format!("{{{}}}", in_order(members).into_iter().map(member).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    let is_printable = |c: char| !matches!(c, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
    let json = Value::from(text).to_string();
    if json.chars().all(is_printable) {
        return json;
    }
    let escaped = |c| if is_printable(c) { String::from(c) } else { format!("\\u{:04x}", u32::from(c)) };
    json.chars().map(escaped).collect()
}

fn in_order(members: &Map<String, Value>) -> Vec<(&str, &Value)> {
    let mut members: Vec<(&str, &Value)> = members.iter().map(|(name, value)| (name.as_str(), value)).collect();
    members.sort_by_key(|(name, _)| rank(name));
    members
}

/// Gives the place of a name among those of one object, where names of the same rank stay in the
/// order in which they were set: whole numbers come first, in ascending order.
#[must_use]
pub fn rank(name: &str) -> u32 {
    let number = name.parse().ok().filter(|number: &u32| number.to_string() == name);
    number.unwrap_or(u32::MAX)
}

/// Gives the text of a number, as `String(number)`.
#[must_use]
pub fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() => float_text(value),
        _ => number.to_string(),
    }
}

/// ECMAScript's Number::toString: the shortest digits that mean the number, with an exponent from
/// 1e21 on and below 1e-6.
fn float_text(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let scientific = format!("{:e}", value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-6..21).contains(&exponent) {
        let plus = if exponent > 0 { "+" } else { "" };
        return format!("{sign}{mantissa}e{plus}{exponent}");
    }
    let digits = mantissa.replace('.', "");
    let whole = usize::try_from(exponent + 1).unwrap_or(0);
    if whole == 0 {
        let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0));
        return format!("{sign}0.{zeros}{digits}");
    }
    match digits.split_at_checked(whole) {
        Some((whole, part)) if !part.is_empty() => format!("{sign}{whole}.{part}"),
        _ => format!("{sign}{digits}{}", "0".repeat(whole - digits.len())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{json_text, number_text, plain_text, rank};

    #[test]
    fn a_list_becomes_its_joined_elements_and_a_map_no_text() {
        assert_eq!(plain_text(&json!(["a", 1, null, ["b"]])).as_deref(), Some("a,1,,b"));
        assert_eq!(plain_text(&json!({"a": 1})), None);
    }

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        let cases: [(Value, &str); 14] = [
            (json!(5), "5"),
            (json!(0.25), "0.25"),
            (json!(-0.0), "0"),
            (json!(-12.5), "-12.5"),
            (json!(100.0), "100"),
            (json!(1e20), "100000000000000000000"),
            (json!(123_456_789_012_345_680_000.0), "123456789012345680000"),
            (json!(1e21), "1e+21"),
            (json!(-1.5e300), "-1.5e+300"),
            (json!(0.000_001), "0.000001"),
            (json!(0.000_001_5), "0.0000015"),
            (json!(1e-7), "1e-7"),
            (json!(-1.25e-9), "-1.25e-9"),
            (json!(18_446_744_073_709_551_615_u64), "18446744073709551615"),
        ];
        for (number, text) in cases {
            assert_eq!(number_text(number.as_number().unwrap()), text);
        }
    }

    #[test]
    fn names_that_are_whole_numbers_come_first() {
        let text = json_text(&json!({"b": [1.0], "10": "é\u{7f}\n", "9": null, "09": {}}));
        assert_eq!(text, r#"{"9":null,"10":"é\u007f\n","b":[1],"09":{}}"#);
        assert!(rank("9") < rank("10") && rank("10") < rank("b"));
        assert_eq!(rank("4294967296"), rank("-1"));
    }
}
