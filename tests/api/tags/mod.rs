//! Tags of keys.

mod list_resource_tags;
mod tag_resource;
mod untag_resource;
