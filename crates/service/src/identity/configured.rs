//! What the identity file says, as it was read and before it is put together with the database.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use trent_crypto::{SecretBytes, TotpKey};
use trent_domain::identifier::{AccountId, Region};
use trent_domain::identity::{Account, Kind, Owner, Record, RecordName, Status};

/// An access key of the file, its secret in clear.
pub struct ConfiguredAccessKey {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: SecretBytes,
    /// Whether it is accepted.
    pub status: Status,
}

/// A device for one-time codes of the file.
pub struct ConfiguredMfaDevice {
    /// Its name.
    pub name: String,
    /// The account that it belongs to.
    pub account: AccountId,
    /// Whose codes it makes.
    pub owner: Owner,
    /// Its key.
    pub key: TotpKey,
}

/// A policy document and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedDocument {
    /// The path of its file, as it was given.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// The organization that all accounts belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredOrganization {
    /// Its id, `o-…`.
    pub id: String,
    /// The service control policies of all its accounts.
    pub service_control: Vec<NamedDocument>,
    /// The resource control policies of all its accounts.
    pub resource_control: Vec<NamedDocument>,
    /// The accounts to which these do not apply.
    pub except: BTreeSet<AccountId>,
}

/// An account of the file.
pub struct ConfiguredAccount {
    /// The account.
    pub account: Account,
    /// Its own service control policies.
    pub service_control: Vec<NamedDocument>,
    /// Its own resource control policies.
    pub resource_control: Vec<NamedDocument>,
}

/// A service that calls for itself and for others.
pub struct ConfiguredService {
    /// Its name, such as `s3.amazonaws.com`.
    pub name: String,
    /// Where keys that it names without an account are looked up.
    pub account: AccountId,
    /// What it signs with.
    pub access_keys: Vec<ConfiguredAccessKey>,
    /// The accounts whose principals it may speak for.
    pub may_act_in: BTreeSet<AccountId>,
}

/// A listener that stands for a VPC endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredEndpoint {
    /// Its id, `vpce-…`.
    pub vpce_id: String,
    /// The id of its network, `vpc-…`.
    pub vpc_id: String,
    /// The address that it listens on.
    pub listener: SocketAddr,
    /// The account that owns it.
    pub account: Option<AccountId>,
    /// What may be done through it; everything without one.
    pub policy: Option<NamedDocument>,
}

/// A certificate of clients, and for whom they speak who have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredCertificate {
    /// Which certificate.
    pub mark: CertificateMark,
    /// The ARN of the root, user or session of a role.
    pub principal: String,
    /// The Region of requests that name none.
    pub region: Region,
}

/// What a certificate is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CertificateMark {
    /// The SHA-256 of its DER, in hexadecimal digits.
    Fingerprint(String),
    /// One of its alternative names, such as `URI:spiffe://example.com/app`.
    Name(String),
    /// Its subject, such as `CN=app,O=Example`.
    Subject(String),
}

/// Where objects stand in the file.
#[derive(Debug, Clone, Default)]
pub struct IdentityPlaces(pub(super) Arc<HashMap<String, (usize, usize)>>);

impl IdentityPlaces {
    /// Line and column of an object, by the name that problems have for it.
    pub fn get(&self, object: &str) -> Option<(usize, usize)> {
        self.0.get(object).copied()
    }
}

/// Everything that the file says.
#[derive(Default)]
pub struct Configured {
    /// The organization.
    pub organization: Option<ConfiguredOrganization>,
    /// The accounts.
    pub accounts: Vec<ConfiguredAccount>,
    /// What the accounts have by name.
    pub records: Vec<Record>,
    /// The access keys of the accounts' users.
    pub access_keys: Vec<(AccountId, Owner, ConfiguredAccessKey)>,
    /// The devices of the accounts' users.
    pub mfa_devices: Vec<ConfiguredMfaDevice>,
    /// The services.
    pub services: Vec<ConfiguredService>,
    /// The certificates of clients that cannot sign.
    pub certificates: Vec<ConfiguredCertificate>,
    /// The endpoints.
    pub endpoints: Vec<ConfiguredEndpoint>,
    pub(super) places: IdentityPlaces,
}

impl Configured {
    /// Whether an account is in the file.
    pub(crate) fn has_account(&self, id: AccountId) -> bool {
        self.accounts.iter().any(|entry| entry.account.id == id)
    }

    /// Whether something that an account has by name is in the file.
    pub(crate) fn has_record(&self, name: &RecordName) -> bool {
        let is_it = |device: &ConfiguredMfaDevice| device.account == name.account && device.name == name.name;
        self.records.iter().any(|record| record.record_name() == *name)
            || (name.kind == Kind::MfaDevice && self.mfa_devices.iter().any(is_it))
    }

    /// Where the objects stand in the file.
    pub fn places(&self) -> IdentityPlaces {
        self.places.clone()
    }
}
