//! What a worker is asked, and what it answers.

mod failure;
mod reply;
mod request;

pub(crate) use reply::Reply;
pub(crate) use request::{Ask, Request};
