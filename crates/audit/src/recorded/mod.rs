//! What of each operation is recorded: the members of its request and of its answer that are named here, and no
//! other. Plaintexts, ciphertexts, messages, digests, signatures, MACs, keys, tokens, passwords and certificates are
//! named nowhere, and a member that a later version of the API brings is not recorded before somebody names it.
//!
//! Names are those of CloudTrail. Encryption contexts are recorded in clear: they are no secrets, and what they say is
//! why one records.

mod cryptographic;
mod grants;
mod keys;
mod listings;
mod stores;

use std::collections::BTreeMap;

use trent_domain::operations::{Effect, On, rules};
use trent_protocol::{
    DataKeyPairSpec, EncapsulationAlgorithm, Encode, GrantOperation, KeyAgreementAlgorithm, KeyMetadata,
    MacAlgorithm, Request, SigningAlgorithm, Tag, WrappingAlgorithm, WrappingKeySpec,
};

use crate::json::Members;

/// A request of which something is recorded.
pub trait Recorded: Request {
    /// Appends what is recorded of the request.
    fn parameters(&self, out: &mut Members<'_, '_>);

    /// Appends what is recorded of an answer. `key` is the ARN of the key that the operation was about.
    ///
    /// Of most operations that change a key this is the key's ARN, also where the API answers nothing; of those that
    /// read or compute it is nothing.
    fn elements(_answer: &Self::Response, key: Option<&str>, out: &mut Members<'_, '_>) {
        let rules = rules(Self::OPERATION);
        if let Some(key) = key
            && rules.effect == Effect::Changes
            && matches!(rules.on, On::Key | On::Grant)
        {
            out.member("keyId", key);
        }
    }

    /// Appends what the record says of an answer beside request and response.
    fn additional(_answer: &Self::Response, _out: &mut Members<'_, '_>) {}
}

/// A member of a request or an answer, which may be absent.
trait Member {
    fn put(&self, name: &str, out: &mut Members<'_, '_>);
}

impl<T: Encode> Member for Option<T> {
    fn put(&self, name: &str, out: &mut Members<'_, '_>) {
        out.optional(name, self.as_ref());
    }
}

macro_rules! members {
    ($($kind:ty),* $(,)?) => {$(
        impl Member for $kind {
            fn put(&self, name: &str, out: &mut Members<'_, '_>) {
                out.member(name, self);
            }
        }
    )*};
}
members!(
    BTreeMap<String, String>,
    DataKeyPairSpec,
    EncapsulationAlgorithm,
    KeyAgreementAlgorithm,
    KeyMetadata,
    MacAlgorithm,
    SigningAlgorithm,
    String,
    Vec<GrantOperation>,
    Vec<String>,
    Vec<Tag>,
    WrappingAlgorithm,
    WrappingKeySpec,
);

/// Rows of the table: the recorded members of a request; after `answers` those of the response, where they are not the
/// usual ones; after `tells` what is additional.
macro_rules! recorded {
    ($(
        $request:ident { $($name:literal: $field:ident),* $(,)? }
        $(answers { $($answered:literal: $element:ident),* $(,)? })?
        $(tells { $($told:literal: $detail:ident),* $(,)? })?
    ;)*) => {$(
        impl $crate::recorded::Recorded for trent_protocol::$request {
            fn parameters(&self, _out: &mut $crate::json::Members<'_, '_>) {
                $($crate::recorded::Member::put(&self.$field, $name, _out);)*
            }
            $(
                fn elements(
                    _answer: &Self::Response,
                    _key: Option<&str>,
                    _out: &mut $crate::json::Members<'_, '_>,
                ) {
                    $($crate::recorded::Member::put(&_answer.$element, $answered, _out);)*
                }
            )?
            $(
                fn additional(_answer: &Self::Response, _out: &mut $crate::json::Members<'_, '_>) {
                    $($crate::recorded::Member::put(&_answer.$detail, $told, _out);)*
                }
            )?
        }
    )*};
}
use recorded;
