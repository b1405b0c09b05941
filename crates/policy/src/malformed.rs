//! What is wrong with a document, and where: for the operator who wrote it.

use std::borrow::Cow;
use std::fmt;

/// A document that cannot be used; `Display` says why in plain words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}{problem}")]
pub struct Malformed {
    // Boxed, since every function of the parser returns one.
    place: Box<Place>,
    problem: Box<Problem>,
}

impl Malformed {
    /// Where in the document.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What is wrong there.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The text to answer the API's caller with: the fixed one where the API has one, else `Display`'s.
    pub fn wire_text(&self) -> Cow<'static, str> {
        match *self.problem {
            Problem::OverlyPermissive => Cow::Borrowed(OVERLY_PERMISSIVE),
            _ => Cow::Owned(self.to_string()),
        }
    }
}

/// The text KMS answers with, shown in its developer guide.
const OVERLY_PERMISSIVE: &str = "OverlyPermissiveCondition:EncryptionContext: Using the ForAllValues set \
    operator with a single-valued condition key matches requests without the specified encryption context \
    or with an unspecified encryption context. To fix, remove ForAllValues.";

/// Where in a document something is wrong; all empty means the document as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The statement's index, from zero.
    pub statement: Option<usize>,
    /// The statement's `Sid`, when it has one.
    pub sid: Option<String>,
    /// The element, such as `Action`.
    pub element: Option<&'static str>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(index) = self.statement {
            write!(f, "Statement[{index}]")?;
        }
        if let Some(sid) = &self.sid {
            write!(f, " (Sid `{sid}`)")?;
        }
        match (self.statement, self.element) {
            (Some(_), Some(element)) => write!(f, ", `{element}`: "),
            (None, Some(element)) => write!(f, "`{element}`: "),
            (Some(_), None) => write!(f, ": "),
            (None, None) => Ok(()),
        }
    }
}

/// What can be wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Longer than any document the API accepts.
    #[error("the document has {bytes} bytes, more than {bytes_max}")]
    TooLarge {
        /// The document's size.
        bytes: usize,
        /// The most it may have.
        bytes_max: usize,
    },
    /// Not JSON.
    #[error("not valid JSON at byte {offset}: {detail}")]
    Syntax {
        /// Where, in bytes from the beginning.
        offset: usize,
        /// Why.
        detail: String,
    },
    /// The same member twice in one object: readers disagree about which one counts.
    #[error("member `{0}` occurs twice")]
    DuplicateMember(String),
    /// A member the grammar does not have; names are case-sensitive.
    #[error("unknown element `{0}`")]
    UnknownElement(String),
    /// A required element is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// An element and its negation.
    #[error("`{0}` and `{1}` cannot both be present")]
    Both(&'static str, &'static str),
    /// An element that this kind of document must not have.
    #[error("has prohibited field {0}")]
    Prohibited(&'static str),
    /// A value of another JSON type than the grammar has there.
    #[error("must be {expected}, not {found}")]
    WrongType {
        /// What the grammar has there.
        expected: &'static str,
        /// What the document has.
        found: &'static str,
    },
    /// An empty list where at least one entry is needed.
    #[error("must not be an empty list")]
    EmptyList,
    /// A `Version` other than the two there are.
    #[error("`{0}` is not a version; use `2012-10-17`")]
    UnknownVersion(String),
    /// An `Effect` other than the two there are.
    #[error("`{0}` is neither `Allow` nor `Deny`")]
    UnknownEffect(String),
    /// Two statements with one `Sid`.
    #[error("`{0}` is the Sid of an earlier statement too")]
    DuplicateSid(String),
    /// A `Sid` with characters that identity policies do not allow.
    #[error("`{0}` may contain only letters and digits in an identity policy")]
    InvalidSid(String),
    /// A principal that is text but not `*`.
    #[error("`{0}` must be written as an object, such as {{\"AWS\": …}}")]
    BarePrincipal(String),
    /// A kind of principal that there is not.
    #[error("unknown kind of principal `{0}`")]
    UnknownPrincipalKind(String),
    /// An action without its service.
    #[error("`{0}` must be `*` or a service and an action, such as `kms:Decrypt`")]
    InvalidAction(String),
    /// A resource that could never be one.
    #[error("`{0}` must be `*` or an ARN of six parts")]
    InvalidResource(String),
    /// A `${…}` that cannot be read.
    #[error("variable in `{text}` {flaw}")]
    InvalidVariable {
        /// The text around it.
        text: String,
        /// What is wrong with it.
        flaw: &'static str,
    },
    /// A condition operator that there is not; names are case-sensitive.
    #[error("unknown condition operator `{0}`")]
    UnknownOperator(String),
    /// A condition value of another type than the operator compares.
    #[error("`{operator}` compares `{key}` with `{value}`, which is not {expected}")]
    InvalidValue {
        /// The operator.
        operator: String,
        /// The condition key.
        key: String,
        /// The value.
        value: String,
        /// What the operator needs.
        expected: &'static str,
    },
    /// `ForAllValues:` on one pair of the encryption context, which is also true without the pair.
    #[error("{OVERLY_PERMISSIVE}")]
    OverlyPermissive,
}

/// Points at a part of a document while it is read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct At<'a> {
    pub(crate) statement: Option<usize>,
    pub(crate) sid: Option<&'a str>,
    pub(crate) element: Option<&'static str>,
}

impl At<'_> {
    /// The same place, at one element.
    pub(crate) fn element(self, element: &'static str) -> Self {
        At { element: Some(element), ..self }
    }

    /// The error for a problem here.
    pub(crate) fn refuse(self, problem: Problem) -> Malformed {
        let place = Place { statement: self.statement, sid: self.sid.map(excerpt), element: self.element };
        Malformed { place: Box::new(place), problem: Box::new(problem) }
    }
}

/// The beginning of a text, so that a message stays readable whatever the document contains.
pub(crate) fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 80;
    match text.char_indices().nth(CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}
