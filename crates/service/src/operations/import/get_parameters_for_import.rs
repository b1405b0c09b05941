//! GetParametersForImport: a fresh public key to wrap material with, and the token that has to come back with it. Both
//! are good for a day.

use trent_gate::{GetParametersForImport, Parameters, Wrapping};
use trent_protocol::{GetParametersForImportRequest, GetParametersForImportResponse};

use crate::context::Context;
use crate::error::KmsError;
use crate::operations::keys::epoch;
use crate::pipeline::Handle;

impl Handle for GetParametersForImportRequest {
    async fn handle(self, ctx: &Context<'_>) -> Result<GetParametersForImportResponse, KmsError> {
        let asked = [
            ("wrappingalgorithm", self.wrapping_algorithm.as_str()),
            ("wrappingkeyspec", self.wrapping_key_spec.as_str()),
        ];
        let parameters = Parameters::of(&asked);
        let permit = ctx.authorize_asking::<GetParametersForImport>(&self.key_id, None, parameters).await?;
        let wrapping = Wrapping { algorithm: self.wrapping_algorithm, spec: self.wrapping_key_spec };
        let parameters = permit.import_parameters(wrapping, ctx.now).await?;
        Ok(GetParametersForImportResponse {
            key_id: Some(permit.arn_text().to_owned()),
            import_token: Some(parameters.token),
            public_key: Some(parameters.public),
            parameters_valid_to: Some(epoch(parameters.valid_to)),
        })
    }
}
