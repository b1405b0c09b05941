//! The devices for one-time codes that there are, opened: whose codes they make, and with which key.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use trent_crypto::{SecretBytes, TotpKey};
use trent_domain::identifier::AccountId;
use trent_domain::identity::{Caller, Kind, MfaDevice, Owner, Principal, Record, RecordName, mfa_device_arn};
use trent_domain::limits::MFA_DEVICES_PER_USER_MAX;
use trent_gate::Gate;

use super::configured::Configured;
use super::problem::IdentityProblem;

/// A device and its key.
pub(crate) struct MfaDeviceEntry {
    account: AccountId,
    owner: Owner,
    pub(crate) key: TotpKey,
}

impl MfaDeviceEntry {
    /// Whether it makes the codes of a caller.
    pub(crate) fn is_of(&self, caller: &Caller) -> bool {
        let owns = match (&caller.principal, &self.owner) {
            (Principal::Root, Owner::Root) => true,
            (Principal::User { name }, Owner::User(owner)) => **name == **owner,
            _ => false,
        };
        owns && caller.account == self.account
    }
}

/// The key of a device, as its record has it.
pub(crate) fn sealed(gate: &Gate, arn: &str, key: &TotpKey) -> Result<String, trent_gate::StoreError> {
    gate.seal_mfa_device_key(arn, key.bytes().expose()).map(|sealed| STANDARD.encode(sealed))
}

/// All devices by their serial numbers.
pub(super) fn open(
    stored: &[Record],
    configured: &Configured,
    gate: &Gate,
) -> Result<HashMap<String, MfaDeviceEntry>, IdentityProblem> {
    let mut devices = HashMap::new();
    for record in stored {
        let Record::MfaDevice(device) = record else { continue };
        let key = opened(device, gate).ok_or_else(|| {
            IdentityProblem::new(record.record_name(), "its key cannot be opened; restore a backup")
        })?;
        let MfaDevice { account, owner, .. } = device.clone();
        devices.insert(device.arn(), MfaDeviceEntry { account, owner, key });
    }
    for device in &configured.mfa_devices {
        let (account, owner) = (device.account, device.owner.clone());
        // Keys are not copied but where it has to be: the file is kept, and this directory is replaced.
        let key = TotpKey::from_bytes(SecretBytes::from(device.key.bytes().expose().clone()));
        let entry = key.map(|key| MfaDeviceEntry { account, owner, key });
        devices.extend(entry.map(|entry| (mfa_device_arn(account, &device.name), entry)));
    }
    Ok(devices)
}

fn opened(device: &MfaDevice, gate: &Gate) -> Option<TotpKey> {
    let sealed = STANDARD.decode(&device.sealed_key).ok()?;
    TotpKey::from_bytes(gate.open_mfa_device_key(&device.arn(), &sealed).ok()?)
}

/// No name is there twice, and nobody has too many.
pub(super) fn check(stored: &[Record], configured: &Configured) -> Result<(), IdentityProblem> {
    let of_database = stored.iter().filter_map(|record| match record {
        Record::MfaDevice(device) => Some((device.account, &device.owner, &device.name)),
        _ => None,
    });
    let of_file = configured.mfa_devices.iter();
    let of_file = of_file.map(|device| (device.account, &device.owner, &device.name));
    let mut names = HashMap::new();
    let mut counts: HashMap<_, usize> = HashMap::new();
    for (account, owner, name) in of_database.chain(of_file) {
        let object = RecordName { account, kind: Kind::MfaDevice, name: name.clone() };
        if names.insert((account, name), ()).is_some() {
            let text = "it is in the identity file and in the database; remove one";
            return Err(IdentityProblem::new(object, text));
        }
        let count = counts.entry((account, owner)).or_default();
        *count += 1;
        if *count > MFA_DEVICES_PER_USER_MAX {
            let text = format!("its user has {count} devices; a user may have {MFA_DEVICES_PER_USER_MAX}");
            return Err(IdentityProblem::new(object, text));
        }
    }
    Ok(())
}
