//! Devices for one-time codes.

use trent_crypto::TotpKey;
use trent_domain::identifier::AccountId;
use trent_domain::identity::{
    Kind, MfaDevice, Owner, Record, RecordName, is_mfa_device_name, mfa_device_arn,
};
use trent_domain::secret::Secret;

use super::access_keys::check_user;
use super::records::find;
use super::{Managed, MfaDeviceLine, Outcome, Refused, Reply, managed};
use crate::error::KmsError;
use crate::identity::{DEVICE_NAME, sealed_mfa_device_key};
use crate::open::Service;

impl Service {
    pub(super) async fn list_mfa_devices(&self) -> Outcome {
        let stored = self.all_records().await?.into_iter().filter_map(|(record, managed)| match record {
            Record::MfaDevice(device) => {
                Some(MfaDeviceLine { serial_number: device.arn(), owner: device.owner, managed })
            }
            _ => None,
        });
        let configured = self.configured.lock().await;
        let filed = configured.mfa_devices.iter().map(|device| MfaDeviceLine {
            serial_number: mfa_device_arn(device.account, &device.name),
            owner: device.owner.clone(),
            managed: Managed::File,
        });
        Ok(Reply::MfaDevices { devices: stored.chain(filed).collect() })
    }

    pub(super) async fn add_mfa_device(
        &self,
        account: AccountId,
        user: Option<String>,
        name: String,
    ) -> Outcome {
        if !is_mfa_device_name(&name) {
            return Err(Refused::new(format!("`{name}` {DEVICE_NAME}")));
        }
        let serial_number = mfa_device_arn(account, &name);
        let key = TotpKey::generate(self.random()).map_err(|error| KmsError::internal(&error))?;
        let sealed_key = sealed_mfa_device_key(&self.gate, &serial_number, &key)?;
        let owner = user.map_or(Owner::Root, Owner::User);
        let key = Secret::from(key.to_base32().expose().as_slice());
        let label = match &owner {
            Owner::Root => format!("root@{account}"),
            Owner::User(user) => format!("{user}@{account}"),
        };
        let uri = format!("otpauth://totp/trent:{label}?secret={}&issuer=trent", key.expose()).into();
        let device = MfaDevice { account, name, owner, created: self.now(), sealed_key };
        self.change_identities("add MFA device", move |transaction, configured| {
            check_user(transaction, configured, account, &device.owner)?;
            let record = RecordName { account, kind: Kind::MfaDevice, name: device.name.clone() };
            if configured.has_record(&record) {
                return Err(managed(record));
            }
            if find(transaction, &record)?.is_some() {
                return Err(Refused::new(format!("{record} exists already")));
            }
            Ok(transaction.put_identity(&Record::MfaDevice(device.clone()))?)
        })
        .await?;
        // Those of a device that had the name before.
        self.mfa_attempts.forget(&serial_number);
        Ok(Reply::NewMfaDevice { serial_number, key, uri })
    }
}
