//! The binary, run as users run it: real processes, real sockets, real signals.

mod admin;
mod backup;
mod configuration;
mod dev;
mod doctor;
mod process;
mod root_key;
mod start;
mod support;
