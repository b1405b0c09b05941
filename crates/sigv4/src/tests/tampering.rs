//! Whatever is changed on the way, the signature is no longer right.
//!
//! Changes that leave the meaning of a request alone (another order of parameters, more blanks in a header) are allowed
//! and not made here; `failures.json` has them under `accepted`.

use proptest::{collection::vec, prelude::*, sample::Index};

use super::{CREDENTIALS, Lines, NOW, SECRET, Sent, judge};
use crate::{Credentials, Rules};

/// One change to a signed request. Indexes choose a place, whatever there is.
#[derive(Debug, Clone)]
enum Change {
    Method,
    Path(Index),
    PathLonger,
    QueryByte(Index),
    QueryMore(String),
    QueryLess(Index),
    Body(Index),
    HeaderByte(Index, Index),
    HeaderGone(Index),
    HeaderTwice(Index),
    HeaderToOther(Index, Index),
    ListShorter(Index),
    ListLonger,
    ScopeByte(Index),
    SignatureByte(Index, u8),
    SignatureShorter,
    SignatureLonger,
    Secret,
}

fn changes() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        Just(Change::Method),
        index().prop_map(Change::Path),
        Just(Change::PathLonger),
        index().prop_map(Change::QueryByte),
        "[a-z]{1,3}(=[a-z]{0,3})?".prop_map(Change::QueryMore),
        index().prop_map(Change::QueryLess),
        index().prop_map(Change::Body),
        (index(), index()).prop_map(|(line, at)| Change::HeaderByte(line, at)),
        index().prop_map(Change::HeaderGone),
        index().prop_map(Change::HeaderTwice),
        (index(), index()).prop_map(|(line, other)| Change::HeaderToOther(line, other)),
        index().prop_map(Change::ListShorter),
        Just(Change::ListLonger),
        index().prop_map(Change::ScopeByte),
        (index(), 1_u8..=255).prop_map(|(at, flip)| Change::SignatureByte(at, flip)),
        Just(Change::SignatureShorter),
        Just(Change::SignatureLonger),
        Just(Change::Secret),
    ]
}

fn requests() -> impl Strategy<Value = Sent> {
    let value = "[a-z]{1,4}( [a-z]{1,4})?";
    let line = ("x-[a-c]", value).prop_map(|(name, value)| (name, value));
    let query = vec("[a-z]{1,2}=[a-z]{1,3}", 0..4).prop_map(|pieces| pieces.join("&"));
    ("(/[a-z]{1,3}){0,3}", query, vec(line, 0..4), "[a-z]{0,8}").prop_map(|(path, query, lines, body)| {
        let fixed =
            [("host", "kms.test"), ("content-type", "text"), ("x-amz-target", "TrentService.Encrypt")];
        let fixed = fixed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let path = if path.is_empty() { "/".to_owned() } else { path };
        Sent { method: "POST".to_owned(), path, query, headers: Lines(fixed.chain(lines).collect()), body }
    })
}

/// Replaces a byte of a text by another letter of the same kind.
fn altered(text: &str, at: Index) -> Option<String> {
    let places: Vec<usize> =
        text.bytes().enumerate().filter(|(_, b)| b.is_ascii_lowercase()).map(|(at, _)| at).collect();
    let at = *places.get(at.index(places.len().max(1)))?;
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] = if bytes[at] == b'z' { b'a' } else { bytes[at] + 1 };
    String::from_utf8(bytes).ok()
}

/// Changes what stands between two marks, the second of which may be the end.
fn between(
    text: &str,
    (start, end): (&str, &str),
    change: impl FnOnce(&str) -> Option<String>,
) -> Option<String> {
    let (before, rest) = text.split_once(start)?;
    let (inner, after) = rest.split_at(rest.find(end).unwrap_or(rest.len()));
    Some(format!("{before}{start}{}{after}", change(inner)?))
}

/// Marks around the parts of a signature, in the header and in the query.
struct Marks {
    credential: (&'static str, &'static str),
    list: (&'static str, &'static str),
    separator: &'static str,
    signature: (&'static str, &'static str),
}

const IN_HEADER: Marks = Marks {
    credential: ("Credential=AKIDEXAMPLE", ","),
    list: ("SignedHeaders=", ","),
    separator: ";",
    signature: ("Signature=", "\0"),
};
const IN_QUERY: Marks = Marks {
    credential: ("X-Amz-Credential=AKIDEXAMPLE", "&"),
    list: ("X-Amz-SignedHeaders=", "&"),
    separator: "%3B",
    signature: ("X-Amz-Signature=", "\0"),
};

/// The changed request, or `None` where there is nothing to change in this way.
fn tampered(sent: &Sent, presigned: bool, change: &Change) -> Option<Sent> {
    let mut new = sent.clone();
    let (own, signing) = if presigned {
        let start = sent.query.find("X-Amz-").unwrap_or(sent.query.len());
        sent.query.split_at(start)
    } else {
        (sent.query.as_str(), "")
    };
    let signed =
        |line: &Index| line.index(sent.headers.0.iter().filter(|(name, _)| name != "Authorization").count());
    match change {
        Change::Method => new.method = "PUT".to_owned(),
        Change::Path(at) => new.path = altered(&sent.path, *at)?,
        Change::PathLonger => new.path.push_str("/a"),
        Change::QueryByte(at) => new.query = altered(own, *at)? + signing,
        Change::QueryMore(more) if presigned => new.query = format!("{more}&{}", sent.query),
        Change::QueryMore(more) => new.query = format!("{}&{more}", sent.query),
        Change::QueryLess(at) => {
            let mut pieces: Vec<&str> = sent.query.split('&').filter(|piece| !piece.is_empty()).collect();
            if pieces.is_empty() {
                return None;
            }
            pieces.remove(at.index(pieces.len()));
            new.query = pieces.join("&");
        }
        Change::Body(at) if sent.body.is_empty() || at.index(2) == 0 => new.body.push(' '),
        Change::Body(at) => new.body = altered(&sent.body, *at)?,
        Change::HeaderByte(line, at) => {
            let line = signed(line);
            new.headers.0[line].1 = altered(&sent.headers.0[line].1, *at)?;
        }
        Change::HeaderGone(line) => drop(new.headers.0.remove(signed(line))),
        Change::HeaderTwice(line) => {
            let line = new.headers.0[signed(line)].clone();
            // Which of two dates or hosts is meant is not asked: the signature is over both.
            new.headers.0.push(line);
        }
        Change::HeaderToOther(line, other) => {
            let (line, other) = (signed(line), signed(other));
            let value = &sent.headers.0[other].1;
            if sent.headers.0[line].1 == *value {
                return None;
            }
            new.headers.0[line].1.clone_from(value);
        }
        Change::Secret => {}
        of_signature => {
            let text = if presigned {
                &mut new.query
            } else {
                &mut new.headers.0.iter_mut().find(|(name, _)| name == "Authorization")?.1
            };
            *text = tampered_signature(text, if presigned { &IN_QUERY } else { &IN_HEADER }, of_signature)?;
        }
    }
    Some(new)
}

/// The header or the query with a part of the signature changed.
fn tampered_signature(text: &str, marks: &Marks, change: &Change) -> Option<String> {
    match change {
        Change::ListShorter(at) => between(text, marks.list, |list| {
            let mut names: Vec<&str> = list.split(marks.separator).collect();
            names.remove(at.index(names.len()));
            Some(names.join(marks.separator))
        }),
        Change::ListLonger => {
            between(text, marks.list, |list| Some(format!("{list}{}x-zzz", marks.separator)))
        }
        Change::ScopeByte(at) => between(text, marks.credential, |scope| altered(scope, *at)),
        Change::SignatureByte(at, flip) => between(text, marks.signature, |signature| {
            let mut bytes = signature.as_bytes().to_vec();
            let byte = &mut bytes[at.index(signature.len())];
            // No escape, where the signature is a parameter.
            *byte = if (*byte ^ flip).is_ascii_alphanumeric() { *byte ^ flip } else { b'x' };
            String::from_utf8(bytes).ok()
        }),
        Change::SignatureShorter => {
            between(text, marks.signature, |signature| signature.get(..63).map(str::to_owned))
        }
        Change::SignatureLonger => between(text, marks.signature, |signature| Some(format!("{signature}0"))),
        other => panic!("no change of the signature: {other:?}"),
    }
}

fn refuse(sent: &Sent, presigned: bool, change: &Change) -> Result<(), TestCaseError> {
    let rules = Rules::new("kms");
    prop_assert_eq!(judge(sent, NOW, &rules, SECRET), Ok(()));
    let Some(new) = tampered(sent, presigned, change) else { return Ok(()) };
    let secret = if matches!(change, Change::Secret) { "another" } else { SECRET };
    prop_assert!(judge(&new, NOW, &rules, secret).is_err(), "accepted: {:?}", new);
    Ok(())
}

fn credentials(token: Option<&str>) -> Credentials<'_> {
    Credentials { session_token: token, ..CREDENTIALS }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_request_changed_on_the_way_is_refused(
        sent in requests(), token in proptest::option::of("[a-z]{1,9}"), change in changes(),
    ) {
        refuse(&sent.signed(&credentials(token.as_deref()), NOW), false, &change)?;
    }

    #[test]
    fn a_presigned_request_changed_on_the_way_is_refused(
        sent in requests(), token in proptest::option::of("[a-z]{1,9}"), change in changes(),
    ) {
        refuse(&sent.presigned(&credentials(token.as_deref()), NOW, Some(60)), true, &change)?;
    }

    /// A signature belongs to one request, and in one form.
    #[test]
    fn a_signature_does_not_fit_another_request(one in requests(), other in requests()) {
        prop_assume!(one != other);
        let signed = one.signed(&CREDENTIALS, NOW);
        let mut moved = other.signed(&CREDENTIALS, NOW);
        let signature = |sent: &Sent| sent.headers.0.last().unwrap().1.rsplit_once('=').unwrap().1.to_owned();
        prop_assume!(signature(&signed) != signature(&moved));
        let line = moved.headers.0.last_mut().unwrap();
        line.1 = line.1.replace(&line.1.rsplit_once('=').unwrap().1.to_owned(), &signature(&signed));
        prop_assert!(judge(&moved, NOW, &Rules::new("kms"), SECRET).is_err());
    }
}
