//! The Security Token Service, as much of it as callers of a key service need: who am I, and temporary credentials.
//!
//! Nothing is stored of a session; what is in its token is in `identity/session.rs`. Who may assume a role is decided as
//! everything else is, with the trust policy in the place of a key's: it lets in whom it names, or leaves it to the
//! policies of an account that it names.

mod assume_role;
mod error;
mod keys;
mod mfa;
mod provider_keys;
mod query;
mod record;
mod session_policy;
mod sessions;
mod web_identity;
mod xml;

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use trent_audit::{Client, Recorder};
use trent_domain::identifier::Region;
use trent_domain::identity::{Caller, Principal};
use trent_domain::secret::Secret;
use trent_domain::time::Timestamp;
use trent_gate::Connection;
use uuid::Uuid;

use crate::identity::{Contents, SigningIdentity};
use crate::open::Service;
use record::Notes;
use session_policy::Narrowing;

pub use error::{StsCode, StsError};
pub use provider_keys::Fetch;
pub use query::Form;
pub use xml::{NAMESPACE, Xml};

pub(crate) use mfa::MfaAttempts;
pub(crate) use provider_keys::ProviderKeyCache;

/// The version of the API.
const VERSION: &str = "2011-06-15";

/// The operations there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StsAction {
    /// Who am I?
    GetCallerIdentity,
    /// A session of a role, for a caller who signs.
    AssumeRole,
    /// A session of a role, for the bearer of a provider's token.
    AssumeRoleWithWebIdentity,
    /// A session of the user who asks.
    GetSessionToken,
    /// A session of somebody whom the user who asks lets in.
    GetFederationToken,
}

impl StsAction {
    /// The operation that a request names.
    ///
    /// # Errors
    /// It names none, or none that is here.
    pub fn of(form: &Form) -> Result<Self, StsError> {
        let Some(name) = form.get("Action") else {
            let text = "Missing Action; it names the operation";
            return Err(StsError::new(StsCode::MissingAction, text));
        };
        let version = form.get("Version").unwrap_or_default();
        let action = match name {
            "GetCallerIdentity" => Some(Self::GetCallerIdentity),
            "AssumeRole" => Some(Self::AssumeRole),
            "AssumeRoleWithWebIdentity" => Some(Self::AssumeRoleWithWebIdentity),
            "GetSessionToken" => Some(Self::GetSessionToken),
            "GetFederationToken" => Some(Self::GetFederationToken),
            _ => None,
        };
        action.filter(|_| version == VERSION).ok_or_else(|| {
            let text = format!("Could not find operation {name} for version {version}");
            StsError::new(StsCode::InvalidAction, text)
        })
    }

    /// Whether the request has to be signed. The other kind brings its proof along.
    pub const fn is_signed(self) -> bool {
        !matches!(self, Self::AssumeRoleWithWebIdentity)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::AssumeRole => "AssumeRole",
            Self::AssumeRoleWithWebIdentity => "AssumeRoleWithWebIdentity",
            Self::GetSessionToken => "GetSessionToken",
            Self::GetFederationToken => "GetFederationToken",
        }
    }
}

/// One request to STS.
pub struct StsCall<'a> {
    /// Who signed it; nobody did where [`StsAction::is_signed`] says so.
    pub signer: Option<Arc<SigningIdentity>>,
    /// The Region that it was signed for.
    pub region: Region,
    /// The id that the answer carries.
    pub request_id: Uuid,
    /// How it came.
    pub connection: Connection<'a>,
}

/// A request on its way through an operation.
struct Request<'a> {
    service: &'a Service,
    form: &'a Form,
    call: &'a StsCall<'a>,
    now: Timestamp,
    notes: &'a Mutex<Notes>,
}

impl Service {
    /// Answers a request to STS, as XML, once it is recorded.
    ///
    /// # Errors
    /// It is refused, or cannot be recorded.
    pub async fn sts(
        &self,
        action: StsAction,
        form: &Form,
        call: &StsCall<'_>,
        (recorder, client): (&Recorder, Client<'_>),
    ) -> Result<String, StsError> {
        if !recorder.accepts() {
            return Err(record::unrecordable());
        }
        let notes = Mutex::default();
        let answer = self.answer_sts(action, form, call, &notes).await;
        let error = answer.as_ref().err();
        self.record_sts((recorder, client), (action, form, call), &notes.into_inner(), error).await?;
        answer
    }

    async fn answer_sts(
        &self,
        action: StsAction,
        form: &Form,
        call: &StsCall<'_>,
        notes: &Mutex<Notes>,
    ) -> Result<String, StsError> {
        let request = Request { service: self, form, call, now: self.now(), notes };
        let result = match action {
            StsAction::GetCallerIdentity => caller_identity(request.signer()?),
            StsAction::AssumeRole => request.assume_role().await?,
            StsAction::AssumeRoleWithWebIdentity => request.assume_role_with_web_identity().await?,
            StsAction::GetSessionToken => request.session_token().await?,
            StsAction::GetFederationToken => request.federation_token()?,
        };
        let name = action.name();
        Ok(Xml::document(&format!("{name}Response"), |xml| {
            xml.within(&format!("{name}Result"), |xml| result(xml)).within("ResponseMetadata", |xml| {
                xml.text("RequestId", &call.request_id.to_string());
            });
        }))
    }
}

/// Writes what an operation answers.
type Answer = Box<dyn FnOnce(&mut Xml) + Send>;

fn caller_identity(signer: &SigningIdentity) -> Answer {
    let caller = Arc::clone(&signer.caller);
    Box::new(move |xml| {
        xml.text("Arn", &caller.arn)
            .text("UserId", &user_id(&caller))
            .text("Account", caller.account.as_str());
    })
}

/// What `aws:userid` and GetCallerIdentity call somebody.
fn user_id(caller: &Caller) -> String {
    match &caller.principal {
        Principal::RoleSession { name, .. } => format!("{}:{name}", caller.unique_id),
        Principal::FederatedUser { name, .. } => format!("{}:{name}", caller.account),
        Principal::Root | Principal::User { .. } | Principal::Service { .. } => caller.unique_id.to_string(),
    }
}

impl Request<'_> {
    fn signer(&self) -> Result<&SigningIdentity, StsError> {
        self.call.signer.as_deref().ok_or_else(|| StsError::denied("Missing Authentication Token"))
    }

    /// Notes a member of what is recorded of the answer.
    fn note(&self, name: &str, value: Value) {
        self.notes.lock().elements.insert(name.to_owned(), value);
    }

    /// Begins a session: seals its token, and gives what the client needs of it.
    fn begin(&self, contents: &Contents) -> Result<Begun, StsError> {
        let service = self.service;
        let access_key_id = service.new_access_key_id("ASIA").map_err(|error| StsError::internal(&error))?;
        let text = serde_json::to_vec(contents).map_err(|error| StsError::internal(&error))?;
        let sealed = service.gate.seal_session(&access_key_id, &text);
        let sealed = sealed.map_err(|error| StsError::internal(&error))?;
        // The id alone: it tells what the session was used for.
        let expiration = contents.expires.to_text();
        self.note("credentials", json!({"accessKeyId": access_key_id, "expiration": expiration}));
        Ok(Begun {
            access_key_id,
            secret: sealed.secret.expose().as_slice().into(),
            token: sealed.token,
            expires: contents.expires.to_text(),
        })
    }
}

/// Credentials that were made just now.
struct Begun {
    access_key_id: String,
    secret: Secret,
    token: String,
    expires: String,
}

impl Begun {
    fn put(&self, xml: &mut Xml) {
        xml.within("Credentials", |xml| {
            xml.text("AccessKeyId", &self.access_key_id)
                .text("SecretAccessKey", self.secret.expose())
                .text("SessionToken", &self.token)
                .text("Expiration", &self.expires);
        });
    }
}

/// Writes how much of their room session policies and tags take, where there are any.
fn put_packed(narrowing: &Narrowing, xml: &mut Xml) {
    if let Some(percent) = narrowing.packed_percent {
        xml.text("PackedPolicySize", &percent.to_string());
    }
}
