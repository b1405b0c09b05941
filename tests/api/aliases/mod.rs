//! Aliases.

mod create_alias;
mod delete_alias;
mod list_aliases;
mod update_alias;
