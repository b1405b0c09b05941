//! Keys: creation, description, state, deletion.

mod cancel_key_deletion;
mod create_key;
mod describe_key;
mod disable_key;
mod enable_key;
mod get_key_last_usage;
mod get_public_key;
mod list_keys;
mod schedule_key_deletion;
mod update_key_description;

mod in_store;
mod metadata;

pub(crate) use create_key::check_quota;
pub(crate) use metadata::{epoch, expiration_model, metadata};
