//! Operations that use keys. Their answers are never recorded, but for the ids of the material that was used.

use trent_protocol::EncryptionAlgorithm::SymmetricDefault;
use trent_protocol::{DecryptRequest, DecryptResponse, EncryptRequest, ReEncryptRequest, ReEncryptResponse};

use super::{Member, Recorded, recorded};
use crate::json::Members;

impl Recorded for EncryptRequest {
    fn parameters(&self, out: &mut Members<'_, '_>) {
        self.key_id.put("keyId", out);
        // Recorded always, as AWS does.
        out.member("encryptionAlgorithm", &self.encryption_algorithm.unwrap_or(SymmetricDefault));
        self.encryption_context.put("encryptionContext", out);
        self.dry_run.put("dryRun", out);
    }
}

impl Recorded for DecryptRequest {
    fn parameters(&self, out: &mut Members<'_, '_>) {
        self.key_id.put("keyId", out);
        out.member("encryptionAlgorithm", &self.encryption_algorithm.unwrap_or(SymmetricDefault));
        self.encryption_context.put("encryptionContext", out);
        self.dry_run.put("dryRun", out);
        self.dry_run_modifiers.put("dryRunModifiers", out);
    }

    fn additional(answer: &DecryptResponse, out: &mut Members<'_, '_>) {
        answer.key_material_id.put("keyMaterialId", out);
    }
}

impl Recorded for ReEncryptRequest {
    fn parameters(&self, out: &mut Members<'_, '_>) {
        let source = self.source_encryption_algorithm.unwrap_or(SymmetricDefault);
        let destination = self.destination_encryption_algorithm.unwrap_or(SymmetricDefault);
        self.source_key_id.put("sourceKeyId", out);
        out.member("sourceEncryptionAlgorithm", &source);
        self.source_encryption_context.put("sourceEncryptionContext", out);
        self.destination_key_id.put("destinationKeyId", out);
        out.member("destinationEncryptionAlgorithm", &destination);
        self.destination_encryption_context.put("destinationEncryptionContext", out);
        self.dry_run.put("dryRun", out);
        self.dry_run_modifiers.put("dryRunModifiers", out);
    }

    fn additional(answer: &ReEncryptResponse, out: &mut Members<'_, '_>) {
        answer.source_key_material_id.put("sourceKeyMaterialId", out);
        answer.destination_key_material_id.put("destinationKeyMaterialId", out);
    }
}

recorded! {
    GenerateDataKeyRequest {
        "keyId": key_id, "keySpec": key_spec, "numberOfBytes": number_of_bytes,
        "encryptionContext": encryption_context, "dryRun": dry_run,
    } tells { "keyMaterialId": key_material_id };
    GenerateDataKeyWithoutPlaintextRequest {
        "keyId": key_id, "keySpec": key_spec, "numberOfBytes": number_of_bytes,
        "encryptionContext": encryption_context, "dryRun": dry_run,
    } tells { "keyMaterialId": key_material_id };
    GenerateDataKeyPairRequest {
        "keyId": key_id, "keyPairSpec": key_pair_spec, "encryptionContext": encryption_context, "dryRun": dry_run,
    } tells { "keyMaterialId": key_material_id };
    GenerateDataKeyPairWithoutPlaintextRequest {
        "keyId": key_id, "keyPairSpec": key_pair_spec, "encryptionContext": encryption_context, "dryRun": dry_run,
    } tells { "keyMaterialId": key_material_id };
    GenerateMacRequest { "keyId": key_id, "macAlgorithm": mac_algorithm, "dryRun": dry_run };
    VerifyMacRequest { "keyId": key_id, "macAlgorithm": mac_algorithm, "dryRun": dry_run };
    SignRequest {
        "keyId": key_id, "messageType": message_type, "signingAlgorithm": signing_algorithm, "dryRun": dry_run,
    };
    VerifyRequest {
        "keyId": key_id, "messageType": message_type, "signingAlgorithm": signing_algorithm, "dryRun": dry_run,
    };
    DeriveSharedSecretRequest {
        "keyId": key_id, "keyAgreementAlgorithm": key_agreement_algorithm, "dryRun": dry_run,
    };
    EncapsulateRequest { "keyId": key_id, "encapsulationAlgorithm": encapsulation_algorithm, "dryRun": dry_run };
    DecapsulateRequest { "keyId": key_id, "encapsulationAlgorithm": encapsulation_algorithm, "dryRun": dry_run };
    GenerateRandomRequest { "customKeyStoreId": custom_key_store_id };
}
