//! Records of requests to STS, in the form that CloudTrail has for them.
//!
//! What a session may be used with is not recorded; the id of its access key is, so that what was done with it is found.

use trent_domain::identifier::{AccountId, Region};
use trent_domain::identity::Caller;
use trent_domain::time::Timestamp;
use trent_protocol::Encode;
use uuid::Uuid;

use crate::identity;
use crate::json::{Camel, raw, text};
use crate::record::{Client, STS_SOURCE, begin, client, cut, filled, id, read_only, tls_details, what};

/// Who asked STS.
#[derive(Debug, Clone, Copy)]
pub enum StsIdentity<'a> {
    /// Who signed.
    Caller(&'a Caller),
    /// The bearer of a provider's token, as far as that was believed.
    Web {
        /// The provider; nothing where no token was believed.
        provider: &'a str,
        /// For whom the token is.
        audience: &'a str,
        /// Whose it is.
        subject: &'a str,
    },
}

/// A request to STS.
#[derive(Debug, Clone, Copy)]
pub struct StsRecord<'a> {
    /// The operation.
    pub name: &'a str,
    /// Who asked.
    pub identity: StsIdentity<'a>,
    /// The Region that the request was signed for.
    pub region: Region,
    /// The id that the answer carries.
    pub request_id: Uuid,
    /// When.
    pub at: Timestamp,
    /// From where.
    pub client: Client<'a>,
    /// Code and text of the error that is answered.
    pub error: Option<(&'a str, &'a str)>,
    /// What was asked, JSON, without proofs of identity.
    pub parameters: &'a [u8],
    /// What was answered, JSON, without what requests are signed with.
    pub elements: &'a [u8],
    /// The role that it is about, and its account.
    pub role: Option<(AccountId, &'a str)>,
}

/// Writes the record of a request, and that for the account of a role that is another's.
pub(crate) fn sts(
    record: &StsRecord<'_>,
    new_id: impl Fn() -> Uuid,
    mut emit: impl FnMut(&dyn Fn(&mut Vec<u8>)),
) {
    let own = match record.identity {
        StsIdentity::Caller(caller) => Some(caller.account),
        StsIdentity::Web { .. } => record.role.map(|(account, _)| account),
    };
    let other = record.role.map(|(account, _)| account).filter(|account| Some(*account) != own);
    let other = other.filter(|_| record.error.is_none());
    let shared = other.map(|_| new_id());
    let event_id = new_id();
    emit(&|out| write(record, own, false, event_id, shared, out));
    if other.is_some() {
        let event_id = new_id();
        emit(&|out| write(record, other, true, event_id, shared, out));
    }
}

fn write(
    record: &StsRecord<'_>,
    recipient: Option<AccountId>,
    as_stranger: bool,
    event_id: Uuid,
    shared: Option<Uuid>,
    out: &mut Vec<u8>,
) {
    begin(out);
    match record.identity {
        StsIdentity::Caller(caller) if as_stranger => identity::stranger(caller, out),
        StsIdentity::Caller(caller) => identity::caller(caller, out),
        StsIdentity::Web { provider, audience, subject } => {
            identity::web_identity(provider, audience, cut(subject), out);
        }
    }
    what(out, record.at, STS_SOURCE, record.name, record.region.as_str());
    client(out, &record.client, None);
    if let Some((code, message)) = record.error {
        text(out, "errorCode", code);
        text(out, "errorMessage", cut(message));
    }
    raw(out, "requestParameters", filled(record.parameters));
    raw(out, "responseElements", if record.error.is_none() { filled(record.elements) } else { b"" });
    id(out, "requestID", record.request_id);
    id(out, "eventID", event_id);
    read_only(out, true);
    out.extend_from_slice(b",\"resources\":[");
    if let Some((account, arn)) = record.role {
        out.extend_from_slice(b"{\"accountId\":");
        account.as_str().encode_into(&mut Camel(out));
        text(out, "type", "AWS::IAM::Role");
        text(out, "ARN", cut(arn));
        out.push(b'}');
    }
    out.push(b']');
    text(out, "eventType", "AwsApiCall");
    out.extend_from_slice(b",\"managementEvent\":true");
    if let Some(account) = recipient {
        text(out, "recipientAccountId", account.as_str());
    }
    if let Some(shared) = shared {
        id(out, "sharedEventID", shared);
    }
    if let Some(endpoint) = record.client.endpoint.filter(|_| !as_stranger) {
        text(out, "vpcEndpointId", endpoint);
    }
    text(out, "eventCategory", "Management");
    if let Some(tls) = record.client.tls.filter(|_| !as_stranger) {
        tls_details(out, &tls);
    }
    // The last brace is the chain's.
}
