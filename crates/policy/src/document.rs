//! A whole document: parsed once, evaluated for every request.

use std::collections::BTreeMap;

use crate::facts::Facts;
use crate::json::{Json, duplicate};
use crate::malformed::{At, Malformed, Problem, excerpt};
use crate::principal::{Named, Principals};
use crate::statement::{Effect, Statement};

/// The most bytes any document may have: what the API's shape for policies allows. Kinds of documents
/// have lower limits of their own, with errors of their own, that whoever stores them checks.
pub const DOCUMENT_BYTES_MAX: usize = 131_072;

/// The key of conditions about the aliases of a key.
const RESOURCE_ALIASES: &str = "kms:resourcealiases";

/// What a document is for, which decides the elements it must and must not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Attached to a resource, such as a key policy: every statement has principals.
    Resource,
    /// Attached to an identity, or a ceiling above it: no statement has principals.
    Identity,
    /// Says who may take on a role: principals, but no resource, which is the role.
    Trust,
}

/// A policy document, checked and compiled.
#[derive(Debug, Clone)]
pub struct Document {
    kind: Kind,
    source: Json,
    statements: Box<[Statement]>,
    asks_for_aliases: bool,
}

/// What one document says about one request: statements by index, from zero.
///
/// All fields may be set at once. A deny wins over everything; it is for the caller of
/// [`Document::evaluate`] to let it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use]
pub struct Evaluation {
    /// The first `Deny` that applies.
    pub denied_by: Option<usize>,
    /// The `Allow` that applies to the caller directly: the first of those that name them most exactly.
    /// In identity policies simply the first that applies.
    pub allowed_by: Option<usize>,
    /// How that statement names the caller; `None` in identity policies, which name nobody.
    pub allowed_as: Option<Named>,
    /// The first `Allow` that applies to the caller's account. It gives the caller nothing but lets the
    /// account's identity policies do so. For a root user it is set beside `allowed_by`.
    pub delegated_by: Option<usize>,
}

impl Document {
    /// Reads and compiles a document.
    pub fn parse(text: &str, kind: Kind) -> Result<Document, Malformed> {
        let at = At::default();
        if text.len() > DOCUMENT_BYTES_MAX {
            let problem = Problem::TooLarge { bytes: text.len(), bytes_max: DOCUMENT_BYTES_MAX };
            return Err(at.refuse(problem));
        }
        let source = Json::parse(text)
            .map_err(|e| at.refuse(Problem::Syntax { offset: e.offset, detail: e.detail }))?;
        let statements = compile(&source, kind)?;
        let asks_for_aliases = statements.iter().any(|statement| statement.asks_for(RESOURCE_ALIASES));
        Ok(Document { kind, source, statements, asks_for_aliases })
    }

    /// What the document says about a request. Allocates nothing.
    pub fn evaluate(&self, facts: &Facts<'_>) -> Evaluation {
        let mut evaluation = Evaluation::default();
        for (index, statement) in self.statements.iter().enumerate() {
            match statement.effect {
                Effect::Deny if evaluation.denied_by.is_some() => {}
                Effect::Deny => {
                    let denies = statement.denies(facts) && statement.covers(facts);
                    evaluation.denied_by = denies.then_some(index);
                }
                Effect::Allow => evaluation.allow(index, statement, facts),
            }
        }
        evaluation
    }

    /// What the document is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether any statement allows anything to anybody.
    pub fn allows_something(&self) -> bool {
        self.statements.iter().any(|statement| matches!(statement.effect, Effect::Allow))
    }

    /// Whether any condition is about the aliases of the key, `kms:ResourceAliases`: the one key whose value may
    /// take a look into a database.
    pub fn asks_for_aliases(&self) -> bool {
        self.asks_for_aliases
    }

    /// The number of statements.
    pub fn statement_count(&self) -> usize {
        self.statements.len()
    }

    /// A statement's `Sid`, if it has one that is not empty.
    pub fn sid(&self, statement: usize) -> Option<&str> {
        self.statements.get(statement)?.sid.as_deref()
    }

    /// The document as it was written.
    pub(crate) fn source(&self) -> &Json {
        &self.source
    }

    /// The statements.
    pub(crate) fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The conditions of a statement as written, in the order of the compiled ones: operator and key.
    pub(crate) fn condition_names(&self, statement: usize) -> Vec<(&str, &str)> {
        let written = self.source.member("Statement").and_then(|all| all.as_list().get(statement));
        let Some(Json::Object(operators)) = written.and_then(|own| own.member("Condition")) else {
            return Vec::new();
        };
        let keys = operators.iter().flat_map(|(operator, keys)| match keys {
            Json::Object(keys) => keys.iter().map(|(key, _)| (operator.as_str(), key.as_str())).collect(),
            _ => Vec::new(),
        });
        keys.collect()
    }

    /// The principals of the statements that have some, with the statements' indexes.
    pub(crate) fn principals(&self) -> impl Iterator<Item = (usize, &Principals)> {
        let all = self.statements.iter().enumerate();
        all.filter_map(|(index, statement)| Some((index, statement.principals.as_ref()?)))
    }
}

impl Evaluation {
    fn allow(&mut self, index: usize, statement: &Statement, facts: &Facts<'_>) {
        let Some(reach) = statement.allow_reach(facts) else {
            if self.allowed_by.is_none() && statement.covers(facts) {
                self.allowed_by = Some(index);
            }
            return;
        };
        let names_better = reach.direct > self.allowed_as;
        let delegates = reach.account && self.delegated_by.is_none();
        if !(names_better || delegates) || !statement.covers(facts) {
            return;
        }
        if names_better {
            (self.allowed_by, self.allowed_as) = (Some(index), reach.direct);
        }
        if delegates {
            self.delegated_by = Some(index);
        }
    }
}

fn compile(source: &Json, kind: Kind) -> Result<Box<[Statement]>, Malformed> {
    let at = At::default();
    let Json::Object(members) = source else {
        return Err(at.refuse(Problem::WrongType { expected: "an object", found: source.type_name() }));
    };
    if let Some(name) = duplicate(members) {
        return Err(at.refuse(Problem::DuplicateMember(excerpt(name))));
    }
    let (mut variables, mut found) = (false, None);
    for (name, json) in members {
        match name.as_str() {
            "Version" => variables = has_variables(json)?,
            "Id" => {
                text(json, at.element("Id"))?;
            }
            "Statement" => found = Some(json),
            _ => return Err(at.refuse(Problem::UnknownElement(excerpt(name)))),
        }
    }
    let found = found.ok_or_else(|| at.refuse(Problem::Missing("`Statement`")))?;
    statements(found, kind, variables)
}

/// Reads `Version`: only the newer language has variables.
fn has_variables(json: &Json) -> Result<bool, Malformed> {
    let at = At::default().element("Version");
    match text(json, at)? {
        "2012-10-17" => Ok(true),
        "2008-10-17" => Ok(false),
        other => Err(at.refuse(Problem::UnknownVersion(excerpt(other)))),
    }
}

fn statements(json: &Json, kind: Kind, variables: bool) -> Result<Box<[Statement]>, Malformed> {
    let items = json.as_list();
    if items.is_empty() {
        return Err(At::default().element("Statement").refuse(Problem::EmptyList));
    }
    let mut sids = BTreeMap::new();
    let mut all = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let at = At { statement: Some(index), ..At::default() };
        let statement = Statement::compile(item, kind, variables, at)?;
        if let Some(sid) = &statement.sid {
            check_sid(sid, kind, at)?;
            if sids.insert(sid.clone(), index).is_some() {
                return Err(at.element("Sid").refuse(Problem::DuplicateSid(excerpt(sid))));
            }
        }
        all.push(statement);
    }
    Ok(all.into())
}

/// Key policies may have any text there, identity policies may not.
fn check_sid(sid: &str, kind: Kind, at: At<'_>) -> Result<(), Malformed> {
    if kind == Kind::Identity && !sid.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(at.element("Sid").refuse(Problem::InvalidSid(excerpt(sid))));
    }
    Ok(())
}

fn text<'j>(json: &'j Json, at: At<'_>) -> Result<&'j str, Malformed> {
    match json {
        Json::Text(text) => Ok(text),
        other => Err(at.refuse(Problem::WrongType { expected: "a string", found: other.type_name() })),
    }
}
