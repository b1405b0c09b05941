//! Objects of AWS-LC, freed when they go out of scope.

use std::ptr::{NonNull, null_mut};

use aws_lc_sys::{EVP_PKEY, EVP_PKEY_CTX, EVP_PKEY_CTX_free, EVP_PKEY_CTX_new, EVP_PKEY_free};

/// A key. Private parts are wiped by AWS-LC when it is freed.
pub(crate) struct Key(NonNull<EVP_PKEY>);

impl Key {
    /// Takes over what a constructor of AWS-LC returned: null when it refused.
    ///
    /// # Safety
    /// `key` is null, or a key that nobody else frees.
    pub(crate) unsafe fn own(key: *mut EVP_PKEY) -> Option<Self> {
        NonNull::new(key).map(Self)
    }

    /// The key, valid while this value lives.
    pub(crate) fn as_ptr(&self) -> *mut EVP_PKEY {
        self.0.as_ptr()
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: `own` had it that nobody else frees it.
        unsafe { EVP_PKEY_free(self.0.as_ptr()) }
    }
}

/// What an operation with a key is prepared in.
pub(crate) struct Context(NonNull<EVP_PKEY_CTX>);

impl Context {
    /// A context to use `key` in. AWS-LC counts references: it keeps the key alive for as long as it needs it.
    pub(crate) fn of(key: &Key) -> Option<Self> {
        // SAFETY: the key is valid; no engine is a valid engine.
        let context = unsafe { EVP_PKEY_CTX_new(key.as_ptr(), null_mut()) };
        NonNull::new(context).map(Self)
    }

    /// The context, valid while this value lives.
    pub(crate) fn as_ptr(&self) -> *mut EVP_PKEY_CTX {
        self.0.as_ptr()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: `of` made it, and nobody else frees it.
        unsafe { EVP_PKEY_CTX_free(self.0.as_ptr()) }
    }
}
