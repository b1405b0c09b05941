//! Materials: which one is current, and making another.

use trent_domain::rotation::Material;

use super::{MayMakeMaterial, MayReadPublicKey, UseError};
use crate::account::NewKeyMaterial;
use crate::authorize::Authorized;
use crate::refusal::Refusal;

impl<A: MayMakeMaterial> Authorized<'_, A> {
    /// Makes new material for the key; it counts once a change of the record has taken it up.
    pub async fn make_material(&self) -> Result<NewKeyMaterial, Refusal> {
        let key = &self.entry.key;
        self.gate.make_material(trent_keystore::Owner::of(key), key.spec).await
    }
}

impl<A: MayReadPublicKey> Authorized<'_, A> {
    /// The public key, as DER SubjectPublicKeyInfo.
    pub fn public_key(&self) -> Result<&[u8], UseError> {
        // A key in HSMs has no material here, and is symmetric.
        let public = self.entry.key.current_material().and_then(|material| material.public.as_deref());
        public.ok_or_else(|| UseError::NoPublicKey(self.arn()))
    }
}

impl<A> Authorized<'_, A> {
    /// The material that encrypts and signs.
    pub(super) fn current_material(&self) -> Result<&Material, UseError> {
        self.entry.key.current_material().ok_or_else(|| UseError::NoMaterial(self.arn()))
    }
}
