//! Multi-Region keys: replicas, and which of the related keys leads.

mod replicate_key;
mod update_primary_region;

use trent_domain::identifier::Region;

use crate::error::KmsError;

// The pattern of the model is that of Region names; only one that is longer than all Regions could be refused here.
fn region(name: &str) -> Result<Region, KmsError> {
    name.parse().map_err(|_| KmsError::validation(format!("{name} is not a Region.")))
}
