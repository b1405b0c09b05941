//! What trent reads of a certificate itself: its dates, its names, what its key is for, and whose signature it bears;
//! everything else is the TLS library's.

mod names;
mod signature;

pub use signature::is_signed_by;

/// Seconds of a day.
pub const SECONDS_PER_DAY: i64 = 86_400;

/// From when until when a certificate is valid, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// From when.
    pub from: i64,
    /// Until when.
    pub until: i64,
}

/// What is read of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its dates.
    pub validity: Validity,
    /// The common name of its subject, if it has one.
    pub common_name: Option<String>,
    /// Its subject as RFC 4514 writes it; empty where it has none, or one with parts that are not known.
    pub subject: String,
    /// Its alternative names: `DNS:…`, `URI:…`, `email:…`.
    pub names: Vec<String>,
    /// What its key may do, if it says so.
    pub key_usage: Option<KeyUsage>,
}

/// What a key may do, as far as anybody here asks (RFC 5280 section 4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUsage {
    /// Sign what is no certificate.
    pub digital_signature: bool,
    /// Sign certificates.
    pub certificate_sign: bool,
}

impl Certificate {
    /// Reads a certificate from its DER.
    ///
    /// RFC 5280 section 4.1: `Certificate { tbsCertificate { [0] version, serialNumber, signature, issuer, validity,
    /// subject, subjectPublicKeyInfo, …, [3] extensions } … }`.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        const VERSION: u8 = 0xa0;
        let (certificate, _) = element(der, SEQUENCE)?;
        let (mut rest, _) = element(certificate, SEQUENCE)?;
        if rest.first() == Some(&VERSION) {
            rest = any_element(rest)?.2;
        }
        for _serial_signature_issuer in 0..3 {
            rest = any_element(rest)?.2;
        }
        let (validity, rest) = element(rest, SEQUENCE)?;
        let (subject, rest) = element(rest, SEQUENCE)?;
        Some(Self {
            validity: read_validity(validity)?,
            common_name: common_name(subject),
            subject: names::subject(subject).unwrap_or_default(),
            names: names::alternative(rest),
            key_usage: key_usage(rest),
        })
    }
}

const SEQUENCE: u8 = 0x30;

fn read_validity(validity: &[u8]) -> Option<Validity> {
    let (tag, from, rest) = any_element(validity)?;
    let from = time(tag, from)?;
    let (tag, until, _) = any_element(rest)?;
    Some(Validity { from, until: time(tag, until)? })
}

/// `Name { SET { SEQUENCE { type, value } … } … }`; the last common name is the most specific.
fn common_name(mut name: &[u8]) -> Option<String> {
    const SET: u8 = 0x31;
    const COMMON_NAME: [u8; 5] = [0x06, 3, 0x55, 0x04, 0x03];
    let mut found = None;
    while let Some((mut set, rest)) = element(name, SET) {
        name = rest;
        while let Some((attribute, others)) = element(set, SEQUENCE) {
            set = others;
            let value = attribute.strip_prefix(&COMMON_NAME).and_then(any_element);
            let text = value.and_then(|(_, text, _)| str::from_utf8(text).ok());
            found = text.map(str::to_owned).or(found);
        }
    }
    found
}

/// What the key may do, by the extension that says it.
fn key_usage(rest: &[u8]) -> Option<KeyUsage> {
    const KEY_USAGE: [u8; 5] = [0x06, 3, 0x55, 0x1d, 0x0f];
    const BIT_STRING: u8 = 0x03;
    // The first byte says how many bits of the last are unused.
    let [_, bits, ..] = element(extension(rest, KEY_USAGE)?, BIT_STRING)?.0 else { return None };
    Some(KeyUsage { digital_signature: bits & 0x80 != 0, certificate_sign: bits & 0x04 != 0 })
}

/// The value of an extension, among what follows the subject: `[3] { SEQUENCE { SEQUENCE { id, critical,
/// OCTET STRING { value } } … } }`, after the public key and perhaps unique ids.
fn extension(mut rest: &[u8], id: [u8; 5]) -> Option<&[u8]> {
    const EXTENSIONS: u8 = 0xa3;
    const BOOLEAN: u8 = 0x01;
    const OCTET_STRING: u8 = 0x04;
    while rest.first() != Some(&EXTENSIONS) {
        rest = any_element(rest)?.2;
    }
    let (mut extensions, _) = element(element(rest, EXTENSIONS)?.0, SEQUENCE)?;
    while !extensions.is_empty() {
        let (extension, others) = element(extensions, SEQUENCE)?;
        extensions = others;
        let Some(mut value) = extension.strip_prefix(&id) else { continue };
        if value.first() == Some(&BOOLEAN) {
            value = any_element(value)?.2;
        }
        return Some(element(value, OCTET_STRING)?.0);
    }
    None
}

/// The content of an element that must have this tag, and what follows it.
fn element(der: &[u8], expected: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = any_element(der)?;
    (tag == expected).then_some((content, rest))
}

/// Tag, content and what follows.
fn any_element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let ([tag, length], rest) = der.split_first_chunk()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        _ => {
            let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            if bytes.len() > 4 {
                return None;
            }
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// `YYMMDDhhmmssZ` (UTCTime) or `YYYYMMDDhhmmssZ` (GeneralizedTime).
fn time(tag: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        0x17 => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i64 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        0x18 => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let number = |at: usize| rest.get(at..at + 2)?.parse::<i64>().ok();
    let (month, day) = (number(0)?, number(2)?);
    let (hour, minute, second) = (number(4)?, number(6)?, number(8)?);
    Some(days_since_1970(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second)
}

/// Days of the Gregorian calendar; years begin in March here, so that the leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    const MARCH_FIRST_OF_YEAR_0_TO_1970: i64 = 719_468;
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - MARCH_FIRST_OF_YEAR_0_TO_1970
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_forms_are_read() {
        assert_eq!(time(0x17, b"700101000000Z"), Some(0));
        assert_eq!(time(0x17, b"240229120000Z"), Some(1_709_208_000));
        assert_eq!(time(0x18, b"20500101000000Z"), Some(2_524_608_000));
        assert_eq!(time(0x17, b"491231235959Z"), Some(2_524_607_999));
        for broken in [&b"2402291200Z"[..], b"240229120000", b"", b"24022912000xZ"] {
            assert_eq!(time(0x17, broken), None);
        }
    }

    #[test]
    fn the_dates_and_the_name_of_a_certificate_are_found() {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2024, 2, 29);
        params.not_after = rcgen::date_time_ymd(2051, 1, 1);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "trent");
        params.distinguished_name.push(rcgen::DnType::CommonName, "*.xks.example.com");
        let made = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let certificate = Certificate::read(made.der()).unwrap();
        assert_eq!(certificate.validity, Validity { from: 1_709_164_800, until: 2_556_144_000 });
        assert_eq!(certificate.common_name.as_deref(), Some("*.xks.example.com"));
        assert_eq!(certificate.key_usage, None);
        for length in 0..200 {
            assert!(Certificate::read(&made.der()[..length]).is_none());
        }
    }

    #[test]
    fn what_a_key_is_for_is_found() {
        use rcgen::KeyUsagePurpose::{CrlSign, DigitalSignature, KeyCertSign};
        let cases = [(vec![DigitalSignature], (true, false)), (vec![KeyCertSign, CrlSign], (false, true))];
        for (key_usages, (digital_signature, certificate_sign)) in cases {
            let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            params.key_usages = key_usages;
            let made = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
            let usage = Certificate::read(made.der()).unwrap().key_usage;
            assert_eq!(usage, Some(KeyUsage { digital_signature, certificate_sign }));
        }
    }
}
