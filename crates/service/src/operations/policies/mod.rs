//! Key policies.

mod get_key_policy;
mod list_key_policies;
mod put_key_policy;

pub(crate) mod checks;

pub(crate) use checks::{LOCKED_OUT, read};
pub(crate) use get_key_policy::policy_text;
