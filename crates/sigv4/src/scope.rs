//! The credential: which access key signed, and for which day, Region and service.

use std::{borrow::Cow, fmt, ops::Range};

use crate::{
    TERMINATOR,
    error::{SignatureError, WrongScope, shown},
    rules::{Rules, is_region_name},
    timestamp::Timestamp,
};

/// What a signing key is good for.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope<'a> {
    /// The access key.
    pub access_key_id: &'a str,
    /// The day, as `YYYYMMDD`.
    pub date: &'a str,
    /// The Region.
    pub region: &'a str,
    /// The service.
    pub service: &'a str,
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{}", self.access_key_id, self.date, self.region, self.service)
    }
}

/// A credential of exactly five parts: access key, day, Region, service, terminator.
#[derive(Clone)]
pub(crate) struct Credential<'a> {
    text: Cow<'a, str>,
    /// Where the slashes are.
    slashes: [usize; 4],
}

impl<'a> Credential<'a> {
    /// Takes a credential apart.
    pub(crate) fn parse(text: Cow<'a, str>) -> Result<Self, SignatureError> {
        let mut slashes = [0; 4];
        let mut found = 0;
        for (at, _) in text.bytes().enumerate().filter(|(_, byte)| *byte == b'/') {
            match slashes.get_mut(found) {
                Some(place) => *place = at,
                None => return Err(SignatureError::InvalidCredential(shown(text.as_bytes()))),
            }
            found += 1;
        }
        if found < slashes.len() {
            return Err(SignatureError::InvalidCredential(shown(text.as_bytes())));
        }
        Ok(Self { text, slashes })
    }

    /// Compares the scope with the rules, the date of the request and the host it was sent to.
    pub(crate) fn check(
        &self,
        rules: &Rules<'_>,
        stamp: &Timestamp,
        host: Option<&[u8]>,
    ) -> Result<(), SignatureError> {
        let Scope { date, region, service, .. } = self.scope();
        let here =
            (rules.regions)(region) && region_of(host, rules.service).is_none_or(|named| named == region);
        let wrong = WrongScope {
            region: (!here).then(|| shown(region.as_bytes())),
            service: (service != rules.service).then(|| rules.service.to_owned()),
            terminator: (self.terminator() != TERMINATOR).then(|| shown(self.terminator().as_bytes())),
            date: (date != stamp.date()).then(|| (shown(date.as_bytes()), *stamp)),
        };
        if wrong == WrongScope::default() { Ok(()) } else { Err(SignatureError::WrongScope(Box::new(wrong))) }
    }

    pub(crate) fn scope(&self) -> Scope<'_> {
        let [first, second, third, fourth] = self.slashes;
        Scope {
            access_key_id: self.part(0..first),
            date: self.part(first + 1..second),
            region: self.part(second + 1..third),
            service: self.part(third + 1..fourth),
        }
    }

    /// Everything after the access key, as it stands in the string to sign.
    pub(crate) fn scope_text(&self) -> &str {
        let [first, ..] = self.slashes;
        self.part(first + 1..self.text.len())
    }

    fn terminator(&self) -> &str {
        let [.., last] = self.slashes;
        self.part(last + 1..self.text.len())
    }

    fn part(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }
}

/// The Region that a host name of the form `<service>.<region>.<domain>` names, also as `<service>-fips.…`.
fn region_of<'h>(host: Option<&'h [u8]>, service: &str) -> Option<&'h str> {
    let mut labels = std::str::from_utf8(host?).ok()?.split('.');
    let (first, second, _domain) = (labels.next()?, labels.next()?, labels.next()?);
    let ours = first.eq_ignore_ascii_case(service)
        || first.rsplit_once('-').is_some_and(|(start, end)| {
            start.eq_ignore_ascii_case(service) && end.eq_ignore_ascii_case("fips")
        });
    (ours && is_region_name(second)).then_some(second)
}
