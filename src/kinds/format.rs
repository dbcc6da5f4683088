//! Which texts have a declared format.
//!
//! Pure; the one rule for definitions (`check`) and for the sandbox, each with its own words. What a field
//! allows beyond that, such as an empty text, is theirs.

use serde::Deserialize;

use crate::text::is_host_label;

/// The shape of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// No `<` and no `>` (names of applications and APIs).
    NoAngleBrackets,
    /// A host name (RFC 1123).
    Hostname,
    /// Two capital letters (ISO 3166-1 alpha-2).
    CountryCode,
    /// Small letters, digits, `-` and `_`, a letter or digit first (names of organizations).
    OrganizationName,
    /// A key or certificate in PEM.
    Pem,
}

impl Format {
    /// Tells whether a text has the format.
    #[must_use]
    pub fn fits(self, text: &str) -> bool {
        match self {
            Self::NoAngleBrackets => !text.contains(['<', '>']),
            Self::Hostname => text.len() <= 253 && text.split('.').all(is_host_label),
            Self::CountryCode => text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()),
            Self::OrganizationName => {
                let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
                text.bytes().next().is_some_and(is_plain)
                    && text.bytes().all(|byte| is_plain(byte) || matches!(byte, b'-' | b'_'))
            }
            Self::Pem => {
                let text = text.trim();
                text.starts_with("-----BEGIN ") && text.ends_with("-----") && text.contains("-----END ")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::kinds::kind::Format;

    #[test]
    fn texts_have_a_format_or_not() {
        for (format, text, fits) in [
            (Format::Hostname, "login.example.com", true),
            (Format::Hostname, "a_b.example.com", false),
            (Format::Hostname, "-a.example.com", false),
            (Format::Hostname, "a..example.com", false),
            (Format::CountryCode, "CH", true),
            (Format::CountryCode, "ch", false),
            (Format::OrganizationName, "acme-1_b", true),
            (Format::OrganizationName, "-acme", false),
            (Format::OrganizationName, "Acme", false),
            (Format::NoAngleBrackets, "a<b", false),
            (Format::Pem, "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n", true),
            (Format::Pem, "-----BEGIN PUBLIC KEY-----", false),
        ] {
            assert_eq!(format.fits(text), fits, "{text}");
        }
    }
}
