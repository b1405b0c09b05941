//! The commands, a file each.

pub(crate) mod admin;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod config;
pub(crate) mod dev;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod hsm_worker;
pub(crate) mod import;
pub(crate) mod policy;
pub(crate) mod rekey;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod xks_check;
pub(crate) mod xks_proxy;
