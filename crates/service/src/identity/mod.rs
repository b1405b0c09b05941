//! Who there is: accounts, users, groups, roles, policies, providers, services, access keys; all in memory and replaced as
//! a whole when something changes.
//!
//! They come from the database (first start, `trent admin`) and from the identity file; a name that both give is an
//! error. Either everything fits together and is published, or what was published before stays.

mod assemble;
mod checks;
mod configured;
mod directory;
mod documents;
pub mod file;
mod mfa;
mod on_behalf;
mod principals;
mod problem;
mod session;
mod unsigned;

pub use configured::{
    CertificateMark, Configured, ConfiguredAccessKey, ConfiguredAccount, ConfiguredCertificate,
    ConfiguredEndpoint, ConfiguredMfaDevice, ConfiguredOrganization, ConfiguredService, IdentityPlaces,
    NamedDocument,
};
pub use directory::{ServiceEntry, SigningIdentity};
pub use on_behalf::Spoken;
pub use problem::IdentityProblem;
pub use session::SessionError;
pub use unsigned::{ClientCertificate, Shown};

pub(crate) use assemble::{Stored, assemble, fits};
pub(crate) use checks::{DEVICE_NAME, check_tags};
pub(crate) use directory::{Directory, RoleEntry};
pub(crate) use mfa::sealed as sealed_mfa_device_key;
pub(crate) use session::{Contents, Holder, with};
