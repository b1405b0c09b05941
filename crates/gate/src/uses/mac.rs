//! Making and verifying message authentication codes.

use trent_domain::algorithms;
use trent_protocol::MacAlgorithm;

use super::{MayGenerateMac, MayVerifyMac, UseError, opened_as};
use crate::actions::Action;
use crate::authorize::Authorized;

impl<A: MayGenerateMac> Authorized<'_, A> {
    /// The MAC of a message.
    pub async fn generate_mac(&self, message: &[u8], algorithm: MacAlgorithm) -> Result<Vec<u8>, UseError> {
        self.check_mac(algorithm)?;
        Ok(opened_as!(self.open_current().await?, Mac, self.entry.key.spec)?.generate(message)?)
    }
}

impl<A: MayVerifyMac> Authorized<'_, A> {
    /// Verifies the MAC of a message, in constant time.
    pub async fn verify_mac(
        &self,
        message: &[u8],
        mac: &[u8],
        algorithm: MacAlgorithm,
    ) -> Result<(), UseError> {
        self.check_mac(algorithm)?;
        Ok(opened_as!(self.open_current().await?, Mac, self.entry.key.spec)?.verify(message, mac)?)
    }
}

impl<A: Action> Authorized<'_, A> {
    /// Whether the key makes MACs with this algorithm.
    pub fn check_mac(&self, asked: MacAlgorithm) -> Result<(), UseError> {
        let spec = self.entry.key.spec;
        let fits = algorithms::mac(spec).contains(&asked);
        if fits { Ok(()) } else { Err(UseError::mac_mismatch(asked, spec)) }
    }
}
