//! GenerateRandom: 1 to 1024 random bytes.

use trent_domain::key_store::KeyStore;
use trent_gate::{Facts, GenerateRandom, Parameters};
use trent_protocol::{ErrorCode, GenerateRandomRequest, GenerateRandomResponse};

use super::recipient::Claim;
use crate::context::Context;
use crate::error::KmsError;
use crate::operations::custom_key_stores::{find, not_connected_to_cluster};
use crate::pipeline::Handle;

impl Handle for GenerateRandomRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<GenerateRandomResponse, KmsError> {
        let claim = Claim::of(self.recipient.as_ref(), ctx)?;
        let count = self.number_of_bytes.and_then(|count| usize::try_from(count).ok());
        let count = count.ok_or_else(|| KmsError::validation("NumberOfBytes is required."))?;
        let recipient = claim.verify_in_account::<GenerateRandom>(ctx).await?;
        let parameters = Parameters::default().of_attested(recipient.condition_keys());
        let facts = Facts { parameters, ..ctx.facts() };
        let permit = ctx.gate().authorize_account::<GenerateRandom>(&facts)?;
        let bytes = if let Some(store) = self.custom_key_store_id {
            let store = find(&store, permit.account(), permit.region(), ctx).await?;
            check(&store)?;
            let made = permit.random_bytes_of(&store, count).await;
            let made = made.map_err(|_| KmsError::new(ErrorCode::KmsInternal, UNREACHABLE))?;
            ctx.note_hsm("hsmSerial", Some(&made.serial));
            made.answer
        } else {
            permit.random_bytes(count)?
        };
        let answer = recipient.answer(&bytes, ctx)?;
        Ok(GenerateRandomResponse {
            plaintext: answer.plaintext,
            ciphertext_for_recipient: answer.for_recipient,
        })
    }
}

/// As AWS says it.
const UNREACHABLE: &str = "KMS cannot communicate with your CloudHSM cluster";

/// Whether a key store makes random bytes, and is connected.
fn check(store: &KeyStore) -> Result<(), KmsError> {
    if store.cluster().is_none() {
        let text = format!("Custom key stores of type {} make no random bytes.", store.kind());
        return Err(KmsError::new(ErrorCode::UnsupportedOperation, text));
    }
    if !store.is_connected() {
        let text = not_connected_to_cluster(&store.id);
        return Err(KmsError::new(ErrorCode::CustomKeyStoreInvalidState, text));
    }
    Ok(())
}
