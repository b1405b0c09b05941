//! The operations of the API, one file each, and what surrounds them: the pipeline, jobs, identities.
//!
//! An operation says only what is special about it; who may call, in which key states and for which usage is
//! the operation table's and the gate's. This crate has no edge to `keystore`: key material is reached through
//! a permit of the gate or not at all.
//!
//! ```compile_fail
//! use trent_keystore::SoftwareStore; // No such crate here.
//! ```

pub mod admin;
mod context;
mod error;
mod identity;
mod jobs;
mod named;
mod open;
mod operations;
mod page;
mod pipeline;
mod policy_check;
mod quotas;
mod seed;
mod sts;
mod trail;

pub use context::{Call, Context};
pub use error::KmsError;
pub use identity::file as identity_file;
pub use identity::{
    CertificateMark, ClientCertificate, Configured, ConfiguredAccessKey, ConfiguredAccount,
    ConfiguredCertificate, ConfiguredEndpoint, ConfiguredMfaDevice, ConfiguredOrganization,
    ConfiguredService, IdentityPlaces, IdentityProblem, NamedDocument, ServiceEntry, SessionError, Shown,
    SigningIdentity, Spoken,
};
pub use jobs::JobReport;
pub use open::{Bootstrap, Options, ReloadError, Service, Started};
pub use pipeline::{Exchange, Handle, run};
pub use policy_check::{PolicyKind, PolicyRemark, PolicyReport, check_policy};
pub use quotas::{Bucket, QuotaRules, Throttled};
pub use seed::{SeedError, SeedKey, SeedMember, SeedReport};
pub use sts::{Fetch, Form, NAMESPACE, StsAction, StsCall, StsCode, StsError, Xml};
pub use trail::{KnownTrail, StoppedTrail};
pub use trent_attestation::{Freshness, RootError, Roots};
pub use trent_gate::{
    CacheBounds, Connection, Endpoint, Gate, Network, OpenError, Parts, Registry, Standing,
};
