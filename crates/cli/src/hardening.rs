//! What a process that holds keys asks of its system, before it holds any.

use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit, umask,
};

/// No core dumps, no debugger of the same user, no files for others, as many descriptors as allowed.
///
/// What the system refuses is logged; `trent doctor` looks at the same things.
pub(crate) fn harden() {
    umask(Mode::RWXG | Mode::RWXO);
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps could not be turned off");
    }
    // A limit of 0 does not keep a dump from a handler that core_pattern pipes to; this does.
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "the process could not be made undumpable");
    }
    raise_descriptors();
}

/// Huge pages would double the memory of a server at rest: the allocator's pages are 2 MiB then, most of them empty.
pub(crate) fn spare_memory() {
    // Where it is refused, the server takes some 15 MiB more.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Each connection takes one; the soft limit is low for the sake of programs that use select(2).
fn raise_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
    {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}
