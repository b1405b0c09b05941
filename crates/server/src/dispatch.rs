//! From operation and body to the encoded answer: one line for each operation of the API.
//!
//! Comes after authentication, so a stranger never reaches the JSON parser.

use trent_audit::{Event, Recorded};
use trent_protocol::{DecodeError, Offer, Operation, Response};
use trent_service::{Call, Handle, KmsError, Service};

use crate::respond::undecodable;

/// Decodes a body as a request of `operation`, runs it and encodes the answer. What its record will say is noted in
/// `event`.
///
/// # Errors
/// The body is no request of this operation, or the operation refuses it.
pub async fn dispatch(
    service: &Service,
    operation: Operation,
    body: &[u8],
    call: &Call<'_>,
    event: &Event,
) -> Result<Vec<u8>, KmsError> {
    use Operation as Op;
    use trent_protocol as api;

    // The futures of the operations differ in size, and the largest would be part of every idle connection: so
    // each is boxed, for the time that it runs.
    macro_rules! run {
        ($request:ty) => {
            Box::pin(run::<$request>(service, body, call, event)).await
        };
    }
    match operation {
        Op::CancelKeyDeletion => run!(api::CancelKeyDeletionRequest),
        Op::ConnectCustomKeyStore => run!(api::ConnectCustomKeyStoreRequest),
        Op::CreateAlias => run!(api::CreateAliasRequest),
        Op::CreateCustomKeyStore => run!(api::CreateCustomKeyStoreRequest),
        Op::CreateGrant => run!(api::CreateGrantRequest),
        Op::CreateKey => run!(api::CreateKeyRequest),
        Op::Decapsulate => run!(api::DecapsulateRequest),
        Op::Decrypt => run!(api::DecryptRequest),
        Op::DeleteAlias => run!(api::DeleteAliasRequest),
        Op::DeleteCustomKeyStore => run!(api::DeleteCustomKeyStoreRequest),
        Op::DeleteImportedKeyMaterial => run!(api::DeleteImportedKeyMaterialRequest),
        Op::DeriveSharedSecret => run!(api::DeriveSharedSecretRequest),
        Op::DescribeCustomKeyStores => run!(api::DescribeCustomKeyStoresRequest),
        Op::DescribeKey => run!(api::DescribeKeyRequest),
        Op::DisableKey => run!(api::DisableKeyRequest),
        Op::DisableKeyRotation => run!(api::DisableKeyRotationRequest),
        Op::DisconnectCustomKeyStore => run!(api::DisconnectCustomKeyStoreRequest),
        Op::EnableKey => run!(api::EnableKeyRequest),
        Op::EnableKeyRotation => run!(api::EnableKeyRotationRequest),
        Op::Encapsulate => run!(api::EncapsulateRequest),
        Op::Encrypt => run!(api::EncryptRequest),
        Op::GenerateDataKey => run!(api::GenerateDataKeyRequest),
        Op::GenerateDataKeyPair => run!(api::GenerateDataKeyPairRequest),
        Op::GenerateDataKeyPairWithoutPlaintext => run!(api::GenerateDataKeyPairWithoutPlaintextRequest),
        Op::GenerateDataKeyWithoutPlaintext => run!(api::GenerateDataKeyWithoutPlaintextRequest),
        Op::GenerateMac => run!(api::GenerateMacRequest),
        Op::GenerateRandom => run!(api::GenerateRandomRequest),
        Op::GetKeyLastUsage => run!(api::GetKeyLastUsageRequest),
        Op::GetKeyPolicy => run!(api::GetKeyPolicyRequest),
        Op::GetKeyRotationStatus => run!(api::GetKeyRotationStatusRequest),
        Op::GetParametersForImport => run!(api::GetParametersForImportRequest),
        Op::GetPublicKey => run!(api::GetPublicKeyRequest),
        Op::ImportKeyMaterial => run!(api::ImportKeyMaterialRequest),
        Op::ListAliases => run!(api::ListAliasesRequest),
        Op::ListGrants => run!(api::ListGrantsRequest),
        Op::ListKeyPolicies => run!(api::ListKeyPoliciesRequest),
        Op::ListKeyRotations => run!(api::ListKeyRotationsRequest),
        Op::ListKeys => run!(api::ListKeysRequest),
        Op::ListResourceTags => run!(api::ListResourceTagsRequest),
        Op::ListRetirableGrants => run!(api::ListRetirableGrantsRequest),
        Op::PutKeyPolicy => run!(api::PutKeyPolicyRequest),
        Op::ReEncrypt => run!(api::ReEncryptRequest),
        Op::ReplicateKey => run!(api::ReplicateKeyRequest),
        Op::RetireGrant => run!(api::RetireGrantRequest),
        Op::RevokeGrant => run!(api::RevokeGrantRequest),
        Op::RotateKeyOnDemand => run!(api::RotateKeyOnDemandRequest),
        Op::ScheduleKeyDeletion => run!(api::ScheduleKeyDeletionRequest),
        Op::Sign => run!(api::SignRequest),
        Op::TagResource => run!(api::TagResourceRequest),
        Op::UntagResource => run!(api::UntagResourceRequest),
        Op::UpdateAlias => run!(api::UpdateAliasRequest),
        Op::UpdateCustomKeyStore => run!(api::UpdateCustomKeyStoreRequest),
        Op::UpdateKeyDescription => run!(api::UpdateKeyDescriptionRequest),
        Op::UpdatePrimaryRegion => run!(api::UpdatePrimaryRegionRequest),
        Op::Verify => run!(api::VerifyRequest),
        Op::VerifyMac => run!(api::VerifyMacRequest),
    }
}

async fn run<R: Handle>(
    service: &Service,
    body: &[u8],
    call: &Call<'_>,
    event: &Event,
) -> Result<Vec<u8>, KmsError> {
    let request = decode::<R>(body, call, event)?;
    Ok(trent_service::run(service, request, call, event).await?.encode())
}

fn decode<R: Recorded>(body: &[u8], call: &Call<'_>, event: &Event) -> Result<R, KmsError> {
    let offered = if call.region.partition() == "aws-cn" { Offer::AwsCn } else { Offer::Everywhere };
    R::decode_with(body, offered).map_err(|error| {
        if let DecodeError::Validation(message) = &error {
            event.invalid(message);
        }
        undecodable(error)
    })
}
