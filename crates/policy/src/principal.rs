//! Principals: who a statement is about, and whether those named can be named at all.

use crate::arn;
use crate::document::{Document, Kind};
use crate::facts::{Caller, CallerKind};
use crate::json::{Json, duplicate};
use crate::malformed::{At, Malformed, Problem, excerpt};

/// The accounts, users, roles and services that exist.
pub trait Directory {
    /// Whether there is an account with this ID.
    fn knows_account(&self, id: &str) -> bool;
    /// Whether there is a user or role with this ARN. For `arn:…:sts::…:assumed-role/<role>/<session>`,
    /// whether the role exists: sessions come and go, and may be named before they begin.
    fn knows_principal(&self, arn: &str) -> bool;
    /// Whether a service principal of this name is registered. Not asked about names under
    /// `amazonaws.com`, which are always known.
    fn knows_service(&self, name: &str) -> bool;
    /// The unique ID of the user or role with this ARN; for the session of a role `<the role's ID>:<session>`. `None`
    /// for whom a policy keeps by name: accounts, federated users, and whoever is not there.
    fn unique_id(&self, arn: &str) -> Option<String>;
    /// The other way round: the ARN of whoever has this unique ID, if they still exist.
    fn arn(&self, unique_id: &str) -> Option<String>;
}

impl Document {
    /// The document as it is stored: users and roles by unique ID, so that a new one of an old name does not inherit
    /// what the old one was given.
    pub fn render_with_unique_ids(&self, directory: &dyn Directory) -> String {
        self.render_with_principals(&|arn| directory.unique_id(arn))
    }

    /// A stored document as it is shown: whoever still exists by ARN.
    pub fn render_with_arns(&self, directory: &dyn Directory) -> String {
        self.render_with_principals(&|id| directory.arn(id))
    }
}

/// A principal that a key policy cannot name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrincipalError {
    /// Nobody of that name.
    #[error("Statement[{statement}] names the principal `{principal}`, which does not exist")]
    Unknown {
        /// The statement's index, from zero.
        statement: usize,
        /// The name, shortened.
        principal: String,
    },
    /// An ARN that is malformed, has wildcards, or is of a kind that never calls, such as a group.
    #[error("Statement[{statement}] names the principal `{principal}`, an ARN that no principal can have")]
    InvalidArn {
        /// The statement's index, from zero.
        statement: usize,
        /// The ARN, shortened.
        principal: String,
    },
}

impl PrincipalError {
    /// The text KMS answers with.
    pub fn wire_text(&self) -> &'static str {
        match self {
            PrincipalError::Unknown { .. } => {
                "Policy contains a statement with one or more invalid principals."
            }
            PrincipalError::InvalidArn { .. } => "An ARN in the specified key policy is invalid.",
        }
    }
}

impl Document {
    /// Checks that every principal named exists, or could: for key policies that are about to be stored.
    /// Reports the first that does not, in the order of the document.
    pub fn check_principals(&self, directory: &dyn Directory) -> Result<(), PrincipalError> {
        for (statement, principals) in self.principals() {
            for entry in &principals.entries {
                let principal = || excerpt(&entry.text);
                match entry.flaw(self.kind(), directory) {
                    None => {}
                    Some(Flaw::Unknown) => {
                        return Err(PrincipalError::Unknown { statement, principal: principal() });
                    }
                    Some(Flaw::InvalidArn) => {
                        return Err(PrincipalError::InvalidArn { statement, principal: principal() });
                    }
                }
            }
        }
        Ok(())
    }
}

/// How a statement names the caller, from the least to the most exact.
///
/// Decides whether a silent permissions boundary or session policy blocks the allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Named {
    /// The user whose federated session calls.
    Federating,
    /// The role whose session calls.
    Role,
    /// Everyone: `*`, or everyone but those in `NotPrincipal`.
    Anyone,
    /// The account, whose root user calls.
    Root,
    /// The user.
    User,
    /// Exactly this session.
    Session,
    /// The service.
    Service,
    /// The provider of the caller's token.
    Provider,
}

/// What a `Principal` or `NotPrincipal` element says about a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reach {
    /// The caller is meant.
    pub(crate) direct: Option<Named>,
    /// The caller's account is meant.
    pub(crate) account: bool,
}

/// A compiled `Principal` or `NotPrincipal` element.
#[derive(Debug, Clone)]
pub(crate) struct Principals {
    negated: bool,
    entries: Box<[Entry]>,
}

#[derive(Debug, Clone)]
struct Entry {
    text: Box<str>,
    who: Who,
}

/// Who an entry's text means.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Who {
    Anyone,
    Account(Box<str>),
    User,
    Role,
    Session,
    /// The caller with this unique ID, or one session of theirs.
    Unique {
        id: Box<str>,
        session: Option<Box<str>>,
    },
    Service,
    Federated,
    Nobody(Flaw),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Unknown,
    InvalidArn,
}

impl Principals {
    /// Compiles the element.
    pub(crate) fn compile(json: &Json, negated: bool, at: At<'_>) -> Result<Principals, Malformed> {
        let members = match json {
            Json::Text(text) if text == "*" => {
                let anyone = Entry { text: "*".into(), who: Who::Anyone };
                return Ok(Principals { negated, entries: [anyone].into() });
            }
            Json::Text(text) => return Err(at.refuse(Problem::BarePrincipal(excerpt(text)))),
            Json::Object(members) => members,
            other => {
                let expected = "`*` or an object";
                return Err(at.refuse(Problem::WrongType { expected, found: other.type_name() }));
            }
        };
        if let Some(name) = duplicate(members) {
            return Err(at.refuse(Problem::DuplicateMember(excerpt(name))));
        }
        let mut entries = Vec::new();
        for (kind, names) in members {
            entries.extend(compile_kind(kind, names, at)?);
        }
        if entries.is_empty() {
            return Err(at.refuse(Problem::Missing("a principal")));
        }
        Ok(Principals { negated, entries: entries.into() })
    }

    /// What the element of an `Allow` says about a caller.
    pub(crate) fn allow_reach(&self, caller: &Caller<'_>) -> Reach {
        if !self.negated {
            return self.named(caller);
        }
        // An allow for "everyone but" leaves out whoever is listed by any of their names.
        let (listed, _) = self.identities(caller);
        Reach { direct: (listed == 0).then_some(Named::Anyone), account: false }
    }

    /// Whether the element of a `Deny` means a caller.
    pub(crate) fn denies(&self, caller: &Caller<'_>) -> bool {
        if !self.negated {
            let reach = self.named(caller);
            return reach.direct.is_some() || reach.account;
        }
        // A deny for "everyone but" spares only who is listed by all of their names: account, role and
        // session for a session.
        let (listed, all) = self.identities(caller);
        listed < all
    }

    fn named(&self, caller: &Caller<'_>) -> Reach {
        let mut reach = Reach::default();
        for entry in &self.entries {
            reach.account |= entry.means_account(caller);
            reach.direct = reach.direct.max(entry.means(caller));
        }
        reach
    }

    /// How many of a caller's names are listed, and how many the caller has.
    fn identities(&self, caller: &Caller<'_>) -> (usize, usize) {
        let listed = |found: &dyn Fn(&Entry) -> bool| {
            usize::from(self.entries.iter().any(|entry| entry.who == Who::Anyone || found(entry)))
        };
        let is_session =
            |entry: &Entry| caller.session_arn.is_some() && entry.means(caller) == Some(Named::Session);
        let mut sums = (0, 0);
        if caller.account.is_some() && caller.kind != CallerKind::Service {
            sums = (sums.0 + listed(&|entry| entry.means_account(caller)), sums.1 + 1);
        }
        // A root user is the account, and listed twice with it.
        let is_self = |entry: &Entry| entry.means(caller).is_some() && !is_session(entry);
        sums = (sums.0 + listed(&is_self), sums.1 + 1);
        if caller.session_arn.is_some() {
            sums = (sums.0 + listed(&is_session), sums.1 + 1);
        }
        sums
    }
}

impl Entry {
    /// As what the entry means the caller themselves.
    fn means(&self, caller: &Caller<'_>) -> Option<Named> {
        let is_arn = caller.arn == &*self.text;
        let is_session = caller.session_arn == Some(&*self.text);
        let is_service = caller.kind == CallerKind::Service;
        let is_federated = caller.kind == CallerKind::FederatedUser;
        let (means, named) = match &self.who {
            Who::Anyone => (true, Named::Anyone),
            Who::Account(_) => (caller.kind == CallerKind::Root && self.means_account(caller), Named::Root),
            Who::User if is_federated => (is_arn, Named::Federating),
            Who::User => (is_arn, Named::User),
            Who::Role => (is_arn, Named::Role),
            Who::Session => (is_session || is_arn, Named::Session),
            Who::Unique { id, session: None } => {
                let named = if is_federated { Named::Federating } else { kind_of_unique_id(id) };
                (caller.unique_id == Some(id), named)
            }
            Who::Unique { id, session: Some(session) } => {
                let name = caller.session_arn.and_then(|arn| arn.rsplit('/').next());
                (caller.unique_id == Some(id) && name == Some(session), Named::Session)
            }
            Who::Service => (is_service && caller.service == Some(&self.text), Named::Service),
            Who::Federated => (caller.kind == CallerKind::WebIdentity && is_arn, Named::Provider),
            Who::Nobody(_) => return None,
        };
        means.then_some(named)
    }

    fn means_account(&self, caller: &Caller<'_>) -> bool {
        let Who::Account(id) = &self.who else { return false };
        caller.kind != CallerKind::Service && caller.account == Some(id)
    }

    /// What is wrong with naming this principal in a document that is about to be stored.
    fn flaw(&self, kind: Kind, directory: &dyn Directory) -> Option<Flaw> {
        let known = match &self.who {
            Who::Anyone => true,
            Who::Account(id) => directory.knows_account(id),
            Who::User | Who::Role | Who::Session => directory.knows_principal(&self.text),
            Who::Service => is_aws_service(&self.text) || directory.knows_service(&self.text),
            // A document comes back with unique IDs only where the principal behind one is gone.
            Who::Unique { .. } => false,
            Who::Federated => kind == Kind::Trust,
            Who::Nobody(flaw) => return Some(*flaw),
        };
        (!known).then_some(Flaw::Unknown)
    }
}

fn compile_kind(kind: &str, names: &Json, at: At<'_>) -> Result<Vec<Entry>, Malformed> {
    let read: fn(&str) -> Who = match kind {
        "AWS" => aws,
        "Service" => |_| Who::Service,
        "Federated" => |_| Who::Federated,
        "CanonicalUser" => |_| Who::Nobody(Flaw::Unknown),
        _ => return Err(at.refuse(Problem::UnknownPrincipalKind(excerpt(kind)))),
    };
    let names = names.as_list();
    if names.is_empty() {
        return Err(at.refuse(Problem::EmptyList));
    }
    let entry = |name: &Json| match name {
        Json::Text(text) => Ok(Entry { text: text.as_str().into(), who: read(text) }),
        other => {
            let expected = "a string or a list of strings";
            Err(at.refuse(Problem::WrongType { expected, found: other.type_name() }))
        }
    };
    names.iter().map(entry).collect()
}

/// Reads what stands under `AWS`.
fn aws(text: &str) -> Who {
    match text {
        "*" => Who::Anyone,
        _ if arn::is_account(text) => Who::Account(text.into()),
        _ if text.starts_with("arn:") => principal_arn(text).unwrap_or(Who::Nobody(Flaw::InvalidArn)),
        _ => unique(text).unwrap_or(Who::Nobody(Flaw::Unknown)),
    }
}

/// Reads a principal's ARN, `None` if it is of none.
fn principal_arn(text: &str) -> Option<Who> {
    let [_, partition, service, region, account, resource] = arn::segments(text)?;
    let in_form = !partition.is_empty() && region.is_empty() && arn::is_account(account);
    if !in_form || text.contains(['*', '?', ' ']) {
        return None;
    }
    if (service, resource) == ("iam", "root") {
        return Some(Who::Account(account.into()));
    }
    let (kind, name) = resource.split_once('/')?;
    if name.split('/').any(str::is_empty) {
        return None;
    }
    match (service, kind) {
        ("iam", "user") => Some(Who::User),
        ("iam", "role") => Some(Who::Role),
        ("sts", "assumed-role") if name.split('/').count() == 2 => Some(Who::Session),
        ("sts", "federated-user") if !name.contains('/') => Some(Who::Session),
        _ => None,
    }
}

/// Reads a unique ID: four letters for the kind and 17 characters, then `:` and a session for some roles.
fn unique(text: &str) -> Option<Who> {
    let (id, session) = match text.split_once(':') {
        Some((id, session)) => (id, Some(session)),
        None => (text, None),
    };
    let in_form = id.len() == 21 && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let kind_fits = match session {
        None => id.starts_with("AIDA") || id.starts_with("AROA"),
        Some(name) => id.starts_with("AROA") && !name.is_empty(),
    };
    (in_form && kind_fits).then(|| Who::Unique { id: id.into(), session: session.map(Into::into) })
}

fn kind_of_unique_id(id: &str) -> Named {
    if id.starts_with("AROA") { Named::Role } else { Named::User }
}

/// Whether a name has the form of an AWS service's: one to three labels before the suffix.
fn is_aws_service(name: &str) -> bool {
    let stem = name.strip_suffix(".cn").unwrap_or(name).strip_suffix(".amazonaws.com");
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    stem.is_some_and(|stem| stem.split('.').count() <= 3 && stem.split('.').all(is_label))
}
