//! GetPublicKey: the public half of a key pair, for use outside.

use trent_domain::algorithms::{Algorithms, algorithms};
use trent_gate::GetPublicKey;
use trent_protocol::{GetPublicKeyRequest, GetPublicKeyResponse};

use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for GetPublicKeyRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<GetPublicKeyResponse, KmsError> {
        let permit = ctx.authorize::<GetPublicKey>(&self.key_id, self.grant_tokens.as_deref()).await?;
        let key = permit.key();
        let mut answer = GetPublicKeyResponse {
            key_id: Some(permit.arn_text().to_owned()),
            public_key: Some(permit.public_key()?.to_vec()),
            // The deprecated twin of the spec.
            customer_master_key_spec: Some(key.spec),
            key_spec: Some(key.spec),
            key_usage: Some(key.usage),
            ..GetPublicKeyResponse::default()
        };
        match algorithms(key.spec, key.usage) {
            Algorithms::Encryption(list) => answer.encryption_algorithms = Some(list.to_vec()),
            Algorithms::Signing(list) => answer.signing_algorithms = Some(list.to_vec()),
            Algorithms::Agreement(list) => answer.key_agreement_algorithms = Some(list.to_vec()),
            Algorithms::Encapsulation(list) => answer.encapsulation_algorithms = Some(list.to_vec()),
            // Keys for MACs have no public key, which has been told by now.
            Algorithms::Mac(_) => {}
        }
        Ok(answer)
    }
}
