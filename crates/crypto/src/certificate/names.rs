//! The names of a certificate as text: its subject, as RFC 4514 writes it, and its alternative names.

use super::{SEQUENCE, any_element, element, extension};

/// Attribute types by their OID, with the short names that RFC 4514 and `openssl` have for them.
const TYPES: [(&[u8], &str); 8] = [
    (&[0x55, 0x04, 0x03], "CN"),
    (&[0x55, 0x04, 0x06], "C"),
    (&[0x55, 0x04, 0x07], "L"),
    (&[0x55, 0x04, 0x08], "ST"),
    (&[0x55, 0x04, 0x0a], "O"),
    (&[0x55, 0x04, 0x0b], "OU"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01], "UID"),
];

/// A subject: the most specific part first, parts between commas. A part of a type or a form that is not known makes
/// the whole nothing, rather than something that another subject could be taken for.
pub(super) fn subject(mut name: &[u8]) -> Option<String> {
    const SET: u8 = 0x31;
    let mut parts = Vec::new();
    while !name.is_empty() {
        let (mut set, rest) = element(name, SET)?;
        name = rest;
        let mut attributes = Vec::new();
        while !set.is_empty() {
            let (attribute, others) = element(set, SEQUENCE)?;
            set = others;
            attributes.push(self::attribute(attribute)?);
        }
        parts.push(attributes.join("+"));
    }
    parts.reverse();
    Some(parts.join(","))
}

fn attribute(attribute: &[u8]) -> Option<String> {
    const OBJECT_IDENTIFIER: u8 = 0x06;
    const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];
    let (oid, value) = element(attribute, OBJECT_IDENTIFIER)?;
    let (_, kind) = TYPES.iter().find(|(known, _)| *known == oid)?;
    let (tag, text, _) = any_element(value)?;
    let text = str::from_utf8(text).ok().filter(|_| TEXTS.contains(&tag))?;
    Some(format!("{kind}={}", escaped(text)))
}

/// RFC 4514 section 2.4.
fn escaped(text: &str) -> String {
    let last = text.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(text.len());
    for (at, character) in text.chars().enumerate() {
        let special = match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => true,
            ' ' => at == 0 || at == last,
            '#' => at == 0,
            _ => false,
        };
        if special {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// The alternative names among what follows the subject, as `openssl` shows them: `DNS:…`, `URI:…`, `email:…`.
pub(super) fn alternative(rest: &[u8]) -> Vec<String> {
    const ALTERNATIVE_NAME: [u8; 5] = [0x06, 3, 0x55, 0x1d, 0x11];
    let names = extension(rest, ALTERNATIVE_NAME).and_then(|value| element(value, SEQUENCE));
    names.map(|(names, _)| general_names(names)).unwrap_or_default()
}

fn general_names(mut names: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while let Some((tag, content, rest)) = any_element(names) {
        names = rest;
        let kind = match tag {
            0x81 => "email",
            0x82 => "DNS",
            0x86 => "URI",
            _ => continue,
        };
        found.extend(str::from_utf8(content).ok().map(|text| format!("{kind}:{text}")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::Certificate;
    use super::*;

    #[test]
    fn subject_and_alternative_names_are_read() {
        let names = vec!["app.example.com".to_owned()];
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        let uri = "spiffe://example.com/app".try_into().unwrap();
        let email = "app@example.com".try_into().unwrap();
        params.subject_alt_names.extend([rcgen::SanType::URI(uri), rcgen::SanType::Rfc822Name(email)]);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CountryName, "DE");
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Example, Inc.");
        params.distinguished_name.push(rcgen::DnType::CommonName, "app");
        let made = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let certificate = Certificate::read(made.der()).unwrap();
        assert_eq!(certificate.subject, r"CN=app,O=Example\, Inc.,C=DE");
        let names = ["DNS:app.example.com", "URI:spiffe://example.com/app", "email:app@example.com"];
        assert_eq!(certificate.names, names);
    }

    #[test]
    fn what_would_read_as_another_name_is_escaped() {
        assert_eq!(escaped("a,CN=b"), r"a\,CN=b");
        assert_eq!(escaped(" #x+y "), r"\ #x\+y\ ");
        assert_eq!(escaped("#x"), r"\#x");
    }

    #[test]
    fn a_subject_with_an_unknown_part_is_none() {
        // SET { SEQUENCE { 2.5.4.5 (serialNumber), PrintableString "1" } }
        let name = [0x31, 0x0a, 0x30, 0x08, 0x06, 3, 0x55, 0x04, 0x05, 0x13, 1, b'1'];
        assert_eq!(subject(&name), None);
        assert_eq!(subject(&[]).as_deref(), Some(""));
    }
}
