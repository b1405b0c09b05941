//! Records as CloudTrail writes them: one JSON object each, its members in a fixed order.
//!
//! What is written here ends before the closing brace. The journal appends the record's place in the chain and closes it.

use std::io::Write;
use std::net::IpAddr;

use trent_domain::identifier::Region;
use trent_domain::identity::Caller;
use trent_domain::operations::{Effect, rules};
use trent_domain::time::Timestamp;
use trent_protocol::{Encode, Operation};
use uuid::Uuid;

use crate::event::{Event, Notes};
use crate::internal::Internal;
use crate::json::{Camel, raw, text};
use crate::{dates, identity};

/// The source of the trail's own events.
pub(crate) const TRAIL_SOURCE: &str = "trent.audit";
/// The source of records of STS.
pub(crate) const STS_SOURCE: &str = "sts.amazonaws.com";
/// The version of CloudTrail's record format that records follow.
const EVENT_VERSION: &str = "1.11";
/// Texts of callers are cut here, as CloudTrail cuts them.
const TEXT_CHARACTERS_MAX: usize = 1024;

/// Where a request came from, as far as transport tells.
#[derive(Debug, Clone, Copy, Default)]
pub struct Client<'a> {
    /// The address.
    pub source: Option<IpAddr>,
    /// What the client calls itself.
    pub user_agent: Option<&'a str>,
    /// The connection, where it was encrypted.
    pub tls: Option<Tls<'a>>,
    /// The id of the private endpoint that it came through.
    pub endpoint: Option<&'a str>,
}

/// An encrypted connection.
#[derive(Debug, Clone, Copy)]
pub struct Tls<'a> {
    /// `TLSv1.3`.
    pub version: &'a str,
    /// The suite.
    pub cipher: &'a str,
    /// The key exchange, where it is known.
    pub key_exchange: Option<&'a str>,
    /// The host that the client asked for.
    pub host: Option<&'a str>,
}

/// One call of the API, as its records tell it.
#[derive(Debug, Clone, Copy)]
pub struct CallRecord<'a> {
    /// What was asked.
    pub operation: Operation,
    /// Who asked.
    pub caller: &'a Caller,
    /// The Region that the request was signed for.
    pub region: Region,
    /// The id that the answer carries.
    pub request_id: Uuid,
    /// When.
    pub at: Timestamp,
    /// From where.
    pub client: Client<'a>,
    /// Code and text of the error that is answered.
    pub error: Option<(&'a str, Option<&'a str>)>,
}

/// A request whose sender is not established.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// What was asked, where the head told it.
    pub operation: Option<Operation>,
    /// What was asked of STS, if it was that.
    pub sts: Option<&'a str>,
    /// The access key that was claimed.
    pub access_key_id: Option<&'a str>,
    /// The Region that was claimed.
    pub region: Option<Region>,
    /// The id that the answer carries.
    pub request_id: Uuid,
    /// When.
    pub at: Timestamp,
    /// From where.
    pub client: Client<'a>,
    /// The code that is answered.
    pub code: &'a str,
    /// How many were not recorded since the last that was.
    pub unrecorded: u64,
}

/// A command on the admin socket.
#[derive(Debug, Clone, Copy)]
pub struct AdminRecord<'a> {
    /// The command.
    pub name: &'a str,
    /// Its members, JSON, without secrets.
    pub parameters: &'a [u8],
    /// Whether it only reads.
    pub read_only: bool,
    /// When.
    pub at: Timestamp,
    /// Why it was refused.
    pub error: Option<&'a str>,
    /// What came of it, JSON, or nothing where that it was done says all.
    pub outcome: &'a [u8],
}

/// Writes the record of a call, those of what followed from it, and that for the owner of a key of another account.
pub(crate) fn call(
    call: &CallRecord<'_>,
    event: &Event,
    mut new_id: impl FnMut() -> Uuid,
    mut emit: impl FnMut(&dyn Fn(&mut Vec<u8>)),
) {
    let notes = event.notes();
    let event_id = event.id();
    let owners = if call.error.is_none() { other_owners(call, &notes) } else { Vec::new() };
    let shared = (!owners.is_empty()).then(&mut new_id);
    emit(&|out| call_to(call, &notes, None, event_id, shared, out));
    for owner in owners {
        let event_id = new_id();
        emit(&|out| call_to(call, &notes, Some(owner), event_id, shared, out));
    }
    for following in &notes.following {
        let event_id = new_id();
        emit(&|out| internal(following, call.at, event_id, out));
    }
}

/// The accounts, other than the caller's, that own what was used.
fn other_owners<'n>(call: &CallRecord<'_>, notes: &'n Notes) -> Vec<&'n str> {
    let mut owners: Vec<&str> = Vec::new();
    for owner in notes.resources.iter().map(|arn| account_of(arn)) {
        if owner != call.caller.account.as_str() && !owners.contains(&owner) {
            owners.push(owner);
        }
    }
    owners
}

/// The record of a call for the account of its caller, or for another one.
fn call_to(
    call: &CallRecord<'_>,
    notes: &Notes,
    owner: Option<&str>,
    event_id: Uuid,
    shared: Option<Uuid>,
    out: &mut Vec<u8>,
) {
    begin(out);
    match owner {
        None => identity::caller(call.caller, out),
        Some(_) => identity::stranger(call.caller, out),
    }
    what(out, call.at, "kms.amazonaws.com", call.operation.name(), call.region.as_str());
    let service = call.caller.service_name().or(call.caller.via.as_ref().map(|via| &*via.service));
    client(out, &call.client, service);
    if let Some((code, message)) = call.error {
        text(out, "errorCode", recorded_code(code));
        if let Some(message) = notes.message.as_deref().or(message) {
            text(out, "errorMessage", cut(message));
        }
    }
    raw(out, "requestParameters", filled(&notes.parameters));
    raw(out, "responseElements", if call.error.is_none() { filled(&notes.elements) } else { b"" });
    if !notes.additional.is_empty() {
        raw(out, "additionalEventData", &notes.additional);
    }
    id(out, "requestID", call.request_id);
    id(out, "eventID", event_id);
    read_only(out, rules(call.operation).effect != Effect::Changes);
    resources(
        out,
        notes
            .resources
            .iter()
            .map(|arn| &**arn)
            .filter(|arn| owner.is_none_or(|owner| account_of(arn) == owner)),
    );
    text(out, "eventType", "AwsApiCall");
    out.extend_from_slice(b",\"managementEvent\":true");
    text(out, "recipientAccountId", owner.unwrap_or(call.caller.account.as_str()));
    if let Some(shared) = shared {
        id(out, "sharedEventID", shared);
    }
    if let Some(endpoint) = call.client.endpoint.filter(|_| owner.is_none()) {
        text(out, "vpcEndpointId", endpoint);
    }
    text(out, "eventCategory", "Management");
    if let Some(tls) = call.client.tls.filter(|_| owner.is_none()) {
        tls_details(out, &tls);
    }
}

/// Writes the record of what the service did by itself.
pub(crate) fn internal(event: &Internal, at: Timestamp, event_id: Uuid, out: &mut Vec<u8>) {
    let (region, account) = (event.part_of_arn(3), event.part_of_arn(4));
    begin(out);
    identity::internal(Some(account), out);
    what(out, at, "kms.amazonaws.com", event.name, region);
    text(out, "sourceIPAddress", "AWS Internal");
    text(out, "userAgent", "AWS Internal");
    raw(out, "requestParameters", b"");
    raw(out, "responseElements", b"");
    if !event.additional.is_empty() {
        raw(out, "additionalEventData", &event.additional);
    }
    id(out, "eventID", event_id);
    read_only(out, false);
    resources(out, std::iter::once(&*event.key_arn));
    text(out, "eventType", event.kind);
    if !event.details.is_empty() {
        raw(out, "serviceEventDetails", &event.details);
    }
    out.extend_from_slice(b",\"managementEvent\":true");
    text(out, "recipientAccountId", account);
    text(out, "eventCategory", "Management");
}

/// Writes the record of a request whose sender is not established.
pub(crate) fn refused(refused: &Refused<'_>, event_id: Uuid, out: &mut Vec<u8>) {
    begin(out);
    identity::unknown(refused.access_key_id.map(cut), out);
    let name = refused.operation.map(Operation::name).or(refused.sts).unwrap_or("AuthenticationFailure");
    let source = if refused.sts.is_some() { STS_SOURCE } else { "kms.amazonaws.com" };
    let region = refused.region.map(|region| region.as_str().to_owned()).unwrap_or_default();
    what(out, refused.at, source, name, &region);
    client(out, &refused.client, None);
    text(out, "errorCode", refused.code);
    raw(out, "requestParameters", b"");
    raw(out, "responseElements", b"");
    if refused.unrecorded > 0 {
        raw(out, "additionalEventData", format!("{{\"unrecorded\":{}}}", refused.unrecorded).as_bytes());
    }
    id(out, "requestID", refused.request_id);
    id(out, "eventID", event_id);
    read_only(out, refused.operation.is_none_or(|operation| rules(operation).effect != Effect::Changes));
    resources(out, std::iter::empty());
    text(out, "eventType", "AwsApiCall");
    text(out, "eventCategory", "Security");
}

/// Writes the record of a command on the admin socket.
pub(crate) fn admin(command: &AdminRecord<'_>, event_id: Uuid, out: &mut Vec<u8>) {
    begin(out);
    identity::operator(out);
    what(out, command.at, "trent.admin", command.name, "");
    text(out, "sourceIPAddress", "admin socket");
    text(out, "userAgent", "trent admin");
    if let Some(message) = command.error {
        text(out, "errorCode", "Refused");
        text(out, "errorMessage", cut(message));
    }
    raw(out, "requestParameters", filled(command.parameters));
    raw(out, "responseElements", filled(command.outcome));
    id(out, "eventID", event_id);
    read_only(out, command.read_only);
    resources(out, std::iter::empty());
    text(out, "eventType", "AwsApiCall");
    out.extend_from_slice(b",\"managementEvent\":true");
    text(out, "eventCategory", "Management");
}

/// Writes an event of the trail itself: that it was started, a checkpoint.
pub(crate) fn of_trail(name: &str, details: &[u8], at: Timestamp, event_id: Uuid, out: &mut Vec<u8>) {
    begin(out);
    identity::internal(None, out);
    what(out, at, TRAIL_SOURCE, name, "");
    raw(out, "requestParameters", b"");
    raw(out, "responseElements", b"");
    id(out, "eventID", event_id);
    read_only(out, false);
    text(out, "eventType", "AwsServiceEvent");
    raw(out, "serviceEventDetails", details);
    text(out, "eventCategory", "Management");
}

pub(crate) fn begin(out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"eventVersion\":\"");
    out.extend_from_slice(EVENT_VERSION.as_bytes());
    out.extend_from_slice(b"\",\"userIdentity\":");
}

pub(crate) fn what(out: &mut Vec<u8>, at: Timestamp, source: &str, name: &str, region: &str) {
    out.extend_from_slice(b",\"eventTime\":\"");
    dates::iso(at.millis(), out);
    out.push(b'"');
    text(out, "eventSource", source);
    text(out, "eventName", name);
    text(out, "awsRegion", region);
}

/// A service is named in place of an address, as it calls for somebody else.
pub(crate) fn client(out: &mut Vec<u8>, client: &Client<'_>, service: Option<&str>) {
    match (service, client.source) {
        (Some(service), _) => text(out, "sourceIPAddress", service),
        (None, Some(source)) => {
            // Without a text in between. Writing to a buffer does not fail.
            let _ = write!(out, ",\"sourceIPAddress\":\"{source}\"");
        }
        (None, None) => text(out, "sourceIPAddress", "AWS Internal"),
    }
    text(out, "userAgent", cut(client.user_agent.unwrap_or_default()));
}

/// CloudTrail has the one code without its last word.
pub(crate) fn recorded_code(code: &str) -> &str {
    if code == "AccessDeniedException" { "AccessDenied" } else { code }
}

pub(crate) fn cut(text: &str) -> &str {
    if text.len() <= TEXT_CHARACTERS_MAX {
        return text;
    }
    let end = text.char_indices().nth(TEXT_CHARACTERS_MAX).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or_default()
}

/// An object without members is recorded as nothing.
pub(crate) fn filled(json: &[u8]) -> &[u8] {
    if json == b"{}" { b"" } else { json }
}

pub(crate) fn id(out: &mut Vec<u8>, name: &str, id: Uuid) {
    let mut buffer = Uuid::encode_buffer();
    text(out, name, id.as_hyphenated().encode_lower(&mut buffer));
}

pub(crate) fn read_only(out: &mut Vec<u8>, is: bool) {
    out.extend_from_slice(if is { b",\"readOnly\":true" } else { b",\"readOnly\":false" });
}

fn resources<'a>(out: &mut Vec<u8>, arns: impl Iterator<Item = &'a str>) {
    out.extend_from_slice(b",\"resources\":[");
    for (index, arn) in arns.enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"accountId\":" } else { b",{\"accountId\":" });
        account_of(arn).encode_into(&mut Camel(out));
        text(out, "type", "AWS::KMS::Key");
        text(out, "ARN", arn);
        out.push(b'}');
    }
    out.push(b']');
}

fn account_of(arn: &str) -> &str {
    let mut colons = arn.bytes().enumerate().filter(|(_, byte)| *byte == b':').map(|(at, _)| at);
    let Some(before) = colons.nth(3) else { return "" };
    arn.get(before + 1..colons.next().unwrap_or(arn.len())).unwrap_or_default()
}

pub(crate) fn tls_details(out: &mut Vec<u8>, tls: &Tls<'_>) {
    out.extend_from_slice(b",\"tlsDetails\":{\"tlsVersion\":");
    tls.version.encode_into(&mut Camel(out));
    text(out, "cipherSuite", tls.cipher);
    if let Some(host) = tls.host {
        text(out, "clientProvidedHostHeader", cut(host));
    }
    if let Some(exchange) = tls.key_exchange {
        text(out, "keyExchange", exchange);
    }
    out.push(b'}');
}
