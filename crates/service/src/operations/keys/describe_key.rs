//! DescribeKey: the metadata of a key, in every state.

use trent_gate::DescribeKey;
use trent_protocol::{DescribeKeyRequest, DescribeKeyResponse};

use super::metadata::metadata;
use crate::context::Context;
use crate::error::KmsError;
use crate::pipeline::Handle;

impl Handle for DescribeKeyRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<DescribeKeyResponse, KmsError> {
        let key = ctx.authorize::<DescribeKey>(&self.key_id, self.grant_tokens.as_deref()).await?;
        Ok(DescribeKeyResponse { key_metadata: Some(metadata(key.key(), key.state(), key.cluster_id())) })
    }
}
