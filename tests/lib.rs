//! Tests of the whole; each file beside this one is a suite of its own.
