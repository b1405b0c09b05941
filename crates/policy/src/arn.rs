//! ARNs: six segments between colons, each matched by itself; the last takes the rest.

use crate::facts::ConditionKeys;
use crate::pattern::{Case, Pattern};

/// The number of segments: `arn`, partition, service, region, account, resource.
const SEGMENTS: usize = 6;

/// The segments of an ARN, `None` if the text is not one.
pub(crate) fn segments(text: &str) -> Option<[&str; SEGMENTS]> {
    let mut parts = text.splitn(SEGMENTS, ':');
    let mut all = [""; SEGMENTS];
    for segment in &mut all {
        *segment = parts.next()?;
    }
    (all.first() == Some(&"arn")).then_some(all)
}

/// Whether a text is an account ID.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// A pattern for ARNs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ArnPattern {
    /// One ARN, without wildcards and variables.
    Exact(Box<str>),
    /// Segment by segment, so that a wildcard in one cannot reach into the next.
    Segments {
        /// What all that match begin with: most that do not match differ here, and need not be taken apart.
        start: Box<str>,
        patterns: Box<[Pattern; SEGMENTS]>,
    },
    /// One variable that holds a whole ARN.
    Variable(Pattern),
}

impl ArnPattern {
    /// Makes the pattern, `None` if no ARN could match the text.
    ///
    /// With fewer segments the last must end in `*`, which then reaches over the missing ones.
    pub(crate) fn new(pattern: &Pattern) -> Option<ArnPattern> {
        if pattern.is_variable() {
            return Some(ArnPattern::Variable(pattern.clone()));
        }
        let given = pattern.split(SEGMENTS);
        let first = given.first()?;
        let is_any = given.len() == 1 && first.is_any();
        if !is_any && !first.is_text("arn") {
            return None;
        }
        let (start, is_exact) = pattern.literal_start();
        if is_exact && given.len() == SEGMENTS {
            return Some(ArnPattern::Exact(start.into()));
        }
        let open = (given.len() < SEGMENTS).then(|| given.last().cloned()).flatten();
        if open.as_ref().is_some_and(|last| !last.ends_open()) {
            return None;
        }
        let mut given = given.into_iter();
        let all = std::array::from_fn(|_| given.next().unwrap_or_else(Pattern::any));
        Some(ArnPattern::Segments { start: start.into(), patterns: Box::new(all) })
    }

    /// Whether an ARN matches; what is not an ARN never does.
    pub(crate) fn matches(&self, subject: &str, keys: &dyn ConditionKeys) -> bool {
        match self {
            ArnPattern::Exact(arn) => **arn == *subject,
            ArnPattern::Variable(pattern) => {
                segments(subject).is_some() && pattern.matches(subject, Case::Exact, keys)
            }
            ArnPattern::Segments { start, patterns } => {
                subject.starts_with(&**start)
                    && segments(subject).is_some_and(|subjects| {
                        patterns.iter().zip(subjects).all(|(p, s)| p.matches(s, Case::Exact, keys))
                    })
            }
        }
    }

    /// Whether this is everything in an account, `arn:…:<service>:<region>:<account>:*`: the only ARNs
    /// that reach requests without a resource. What the request does not say matches only `*`.
    pub(crate) fn reaches_account(&self, request: AccountScope<'_>, keys: &dyn ConditionKeys) -> bool {
        let ArnPattern::Segments { patterns, .. } = self else { return false };
        let [_, partition, service, region, account, resource] = &**patterns;
        let says = |pattern: &Pattern, value: Option<&str>| match value {
            Some(value) => pattern.matches(value, Case::Exact, keys),
            None => pattern.is_any(),
        };
        resource.is_any()
            && says(partition, request.partition)
            && says(service, request.service)
            && says(region, request.region)
            && says(account, request.account)
    }

    /// Whether a variable stands before the account, where none may be.
    pub(crate) fn has_early_variable(&self) -> bool {
        match self {
            ArnPattern::Exact(_) => false,
            ArnPattern::Variable(_) => true,
            ArnPattern::Segments { patterns, .. } => patterns.iter().take(4).any(Pattern::has_variables),
        }
    }
}

/// Where a request without a resource takes place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AccountScope<'a> {
    pub(crate) partition: Option<&'a str>,
    pub(crate) service: Option<&'a str>,
    pub(crate) region: Option<&'a str>,
    pub(crate) account: Option<&'a str>,
}
