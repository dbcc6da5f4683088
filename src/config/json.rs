//! JSON for the YAML reader: nearly all of it is YAML already, and then every key and value has its
//! place, and keywords and expressions go the same way.
//!
//! Pure. What is put in place of what stands there keeps the way back to the user's file.

use super::offsets::Replacement;
use super::substitute::Substituted;
use crate::error::Problem;

/// Makes of JSON what YAML reads the same: it takes no tabs between tokens, no escapes of halves of a
/// character, and some characters as escapes only. Half a character alone becomes the replacement
/// character.
pub(super) fn as_yaml(substituted: &mut Substituted) {
    let text = substituted.text();
    let half = |at: usize| {
        let digits = text.get(at..).and_then(|rest| rest.strip_prefix("\\u")).and_then(|rest| rest.get(..4))?;
        u16::from_str_radix(digits, 16).ok().filter(|unit| (0xd800..0xe000).contains(unit))
    };
    let mut replacements = Vec::new();
    let (mut at, mut is_inside) = (0, false);
    while let Some(character) = text[at..].chars().next() {
        let mut length = character.len_utf8();
        let mut put = None;
        match character {
            '"' => is_inside = !is_inside,
            '\t' if !is_inside => put = Some(" ".to_owned()),
            '\\' if is_inside => match half(at) {
                Some(first) => {
                    let units = std::iter::once(first).chain(half(at + 6));
                    let whole = char::decode_utf16(units).next().and_then(Result::ok);
                    length = if whole.is_some() { 12 } else { 6 };
                    put = Some(whole.unwrap_or(char::REPLACEMENT_CHARACTER).to_string());
                }
                None => length += text[at + 1..].chars().next().map_or(0, char::len_utf8),
            },
            '\u{7f}'..='\u{9f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' if is_inside => {
                put = Some(format!("\\u{:04x}", u32::from(character)));
            }
            _ => {}
        }
        let range = at..at + length;
        at = range.end;
        replacements.extend(put.map(|text| Replacement { range, text, is_secret: false }));
    }
    substituted.replaced.replace(&replacements);
}

/// Says what is wrong with JSON, which was read as YAML, in words for JSON.
pub(super) fn in_words(problem: Problem) -> Problem {
    let message = problem.message.replace("not valid YAML", "not valid JSON");
    let message = message.replace("while parsing a flow mapping, ", "").replace("while parsing a flow sequence, ", "");
    Problem { message, ..problem }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::as_yaml;
    use crate::config::keywords::Keywords;
    use crate::config::project::AsWritten;
    use crate::config::substitute::definitions;
    use crate::config::yaml::read;
    use crate::error::{Problems, SourceText};

    #[test]
    fn json_means_in_yaml_what_it_means_in_json() {
        for text in [
            "{\n\t\"a\"\t:\t[1,\t2],\r\n\t\"b\":{}}\n",
            r#"{"a":"\/ \\ \" \b\f\n\r\t \u00e9 \ud83d\ude00 \u0000 \\ud83d"}"#,
            r##"{"<<":"~","y":"no","~":null,"":"---","# a":"a # b","&a":"*a","!a":"%","k":"- a: b"}"##,
            "[0,-0.5,2.5E-1,1e-7,123456789012345678901234567890,true,false,null,[],{},\"\"]",
            "{\"a\":\n\"b\"\n,\n\"c\"\n:\n\"d\"}",
            "\"\u{7f}\u{80}\u{85}\u{a0}\u{2028}\u{feff}\u{ffff}\"",
        ] {
            let source = SourceText::new("a.json", text);
            let mut problems = Problems::default();
            let mut substituted = definitions(&source, &Keywords::default());
            as_yaml(&mut substituted);
            let found = read(substituted.text(), &mut AsWritten(&source), &mut problems);
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(found.map(|node| node.to_json().to_string()), Some(expected.to_string()), "{text} {problems:?}");
        }
    }

    #[test]
    fn half_a_character_alone_becomes_the_replacement_character() {
        let source = SourceText::new("a.json", r#"["\ud83d","\ude00x","\ud83d\u0041"]"#);
        let mut substituted = definitions(&source, &Keywords::default());
        as_yaml(&mut substituted);
        assert_eq!(substituted.text(), "[\"\u{fffd}\",\"\u{fffd}x\",\"\u{fffd}\\u0041\"]");
    }
}
