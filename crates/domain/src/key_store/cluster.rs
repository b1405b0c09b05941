//! Clusters of HSMs: as a key store's record names them, and as the operator registers them.
//!
//! In AWS a cluster is CloudHSM's; here it is what the operator declares, with the PKCS#11 token of each HSM. The rules
//! over it are those of AWS, so that mistakes are told in the same words.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use trent_protocol::{ConnectionErrorCode, ErrorCode};

use super::{Backing, KeyStore};
use crate::identifier::{AccountId, Region};

/// Different zones that the subnets of a cluster must be in, and its active HSMs unless one is enough.
const ZONES_MIN: usize = 2;

/// The cluster of HSMs behind a key store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Its id, `cluster-…`.
    pub id: String,
    /// The certificate that signed the cluster's, PEM, as it was given.
    pub trust_anchor: String,
    /// The SHA-256 of the cluster's certificate: clusters that share it are related.
    pub lineage: [u8; 32],
    /// What is known of the password beside the one that should be in force.
    #[serde(default, skip_serializing_if = "Passwords::is_settled")]
    pub passwords: Passwords,
}

/// Passwords of `kmsuser` beside the record's own, sealed. Each connection changes the password in all HSMs, one after the
/// other, so that it may end between two of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Passwords {
    /// The one that is being given to the HSMs: any of them may have it already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<Vec<u8>>,
    /// The ones that HSMs have which were not there when it was changed, by the serial number of their tokens.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub behind: BTreeMap<String, Vec<u8>>,
    /// How often in a row the password was wrong.
    pub failed_logins: u32,
    /// The tokens that knew none of these passwords. They are not tried again until a person says so.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub refusing: BTreeSet<String>,
}

impl KeyStore {
    /// Keeps a sealed password that HSMs are about to be given. `false` when there is one already: it may be in force.
    pub fn keep_pending(&mut self, sealed: &[u8]) -> bool {
        let Backing::CloudHsm(Cluster { passwords, .. }) = &mut self.backing else { return false };
        let keeps = passwords.pending.is_none();
        if keeps {
            passwords.pending = Some(sealed.to_vec());
        }
        keeps
    }

    /// Takes note that the password was wrong.
    pub fn login_failed(&mut self) {
        if let Backing::CloudHsm(Cluster { passwords, .. }) = &mut self.backing {
            passwords.failed_logins = passwords.failed_logins.saturating_add(1);
        }
    }

    /// Takes note of the tokens that know none of the passwords.
    pub fn keep_refusing(&mut self, serials: &[String]) {
        if let Backing::CloudHsm(Cluster { passwords, .. }) = &mut self.backing {
            passwords.refusing = serials.iter().cloned().collect();
        }
    }

    /// Takes note that the record's own password is in force in the HSMs with the tokens `have`, too.
    pub fn caught_up(&mut self, have: &[String]) {
        if let Backing::CloudHsm(Cluster { passwords, .. }) = &mut self.backing {
            passwords.behind.retain(|serial, _| !have.contains(serial));
        }
    }

    /// Forgets wrong passwords. `false` where there are no HSMs.
    pub fn unlock(&mut self) -> bool {
        let Backing::CloudHsm(Cluster { passwords, .. }) = &mut self.backing else { return false };
        passwords.failed_logins = 0;
        passwords.refusing.clear();
        true
    }

    /// Takes note that the pending password is in force in the HSMs with the tokens `have`. All others of `registered` are
    /// behind: they have the password that was in force before, or one that is older still.
    pub fn password_changed(&mut self, have: &[String], registered: &[Hsm]) {
        let Backing::CloudHsm(Cluster { passwords, .. }) = &mut self.backing else { return };
        let Some(pending) = passwords.pending.take() else { return };
        let before = std::mem::replace(&mut self.sealed_secret, pending);
        passwords.failed_logins = 0;
        passwords.behind.retain(|serial, _| !have.contains(serial));
        for Hsm { token_serial, .. } in registered.iter().filter(|hsm| !have.contains(&hsm.token_serial)) {
            passwords.behind.entry(token_serial.clone()).or_insert_with(|| before.clone());
        }
    }
}

impl Passwords {
    fn is_settled(&self) -> bool {
        *self == Self::default()
    }
}

/// A cluster as the operator has registered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredCluster {
    /// Its id.
    pub id: String,
    /// The account that it belongs to.
    pub account: AccountId,
    /// Its Region.
    pub region: Region,
    /// Its state.
    pub state: ClusterState,
    /// The certificate that signed the cluster's, DER.
    pub trust_anchor: Vec<u8>,
    /// The SHA-256 of the cluster's certificate.
    pub lineage: [u8; 32],
    /// Whether connections to its HSMs are let through.
    pub security_group_ok: bool,
    /// Its subnets.
    pub subnets: Vec<Subnet>,
    /// Its HSMs.
    pub hsms: Vec<Hsm>,
    /// Wrong passwords in a row that lock `kmsuser` out, for HSMs that do not count; 0 for those that do.
    pub failed_logins_max: u32,
}

/// The state of a cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClusterState {
    /// Without a certificate.
    Uninitialized,
    /// Without users.
    Initialized,
    /// In use.
    #[default]
    Active,
    /// In use, and something is wrong with it.
    Degraded,
    /// No more.
    Deleted,
}

/// A subnet of a cluster: a declared fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// Its zone.
    pub availability_zone: String,
    /// Addresses that are free in it.
    #[serde(default = "some")]
    pub free_addresses: u32,
    /// Whether it has been deleted, though the cluster still names it.
    #[serde(default)]
    pub deleted: bool,
}

const fn some() -> u32 {
    1
}

/// An HSM of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hsm {
    /// Its id.
    pub id: String,
    /// Its zone.
    pub availability_zone: String,
    /// The serial number of its token.
    pub token_serial: String,
    /// Its state.
    #[serde(default)]
    pub state: HsmState,
}

/// The state of an HSM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HsmState {
    /// It takes part.
    #[default]
    Active,
    /// It is not used.
    Inactive,
}

/// Why a cluster cannot be behind a key store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// There is none with this id in the account and Region.
    #[error("Cluster {0} was not found in this account and Region.")]
    NotFound(String),
    /// It is not in use.
    #[error("Cluster {0} is not active. Initialize and activate the cluster, then try again.")]
    NotActive(String),
    /// It, or one with the same certificate, is behind another key store.
    #[error("Cluster {0}, or one with the same backup history, is associated with another custom key store.")]
    InUse(String),
    /// Its certificate was signed by another one.
    #[error("The trust anchor certificate is not the one that signed the certificate of cluster {0}.")]
    IncorrectTrustAnchor(String),
    /// It has another certificate than the cluster that the keys are in.
    #[error(
        "Cluster {0} has another certificate than the cluster that the custom key store was created with."
    )]
    NotRelated(String),
    /// It is not as it must be.
    #[error("The configuration of the cluster does not fulfil the requirements of a custom key store: {0}.")]
    Invalid(&'static str),
}

impl ClusterError {
    /// The code that goes with it.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound(_) => ErrorCode::CloudHsmClusterNotFound,
            Self::NotActive(_) => ErrorCode::CloudHsmClusterNotActive,
            Self::InUse(_) => ErrorCode::CloudHsmClusterInUse,
            Self::IncorrectTrustAnchor(_) => ErrorCode::IncorrectTrustAnchor,
            Self::NotRelated(_) => ErrorCode::CloudHsmClusterNotRelated,
            Self::Invalid(_) => ErrorCode::CloudHsmClusterInvalidConfiguration,
        }
    }
}

/// What goes wrong between trent and the HSMs of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClusterFailure {
    /// The operator has no cluster of this id.
    NotFound,
    /// No HSM answers.
    NoHsm,
    /// The way to the HSMs is out of order.
    Network,
    /// There is no `kmsuser`.
    UserNotFound,
    /// `kmsuser` is logged in elsewhere.
    UserLoggedIn,
    /// `kmsuser` is locked out.
    UserLockedOut,
    /// The password is wrong.
    InvalidCredentials,
    /// Anything else.
    Internal,
}

impl ClusterFailure {
    /// What comes of logging in to each of several HSMs: one that lets `kmsuser` in is enough, but for what must be put
    /// right in all of them.
    pub fn overall(each: &[Result<(), Self>]) -> Result<(), Self> {
        let any = |failure: Self| each.contains(&Err(failure));
        let first = |failures: &[Self]| failures.iter().copied().find(|failure| any(*failure));
        if let Some(failure) = first(&[Self::UserNotFound, Self::UserLoggedIn, Self::UserLockedOut]) {
            return Err(failure);
        }
        if each.iter().any(Result::is_ok) {
            return Ok(());
        }
        let rest = [Self::InvalidCredentials, Self::Network, Self::Internal, Self::NotFound];
        Err(first(&rest).unwrap_or(Self::NoHsm))
    }

    /// Why an attempt to connect failed.
    pub const fn while_connecting(self) -> ConnectionErrorCode {
        match self {
            Self::NotFound => ConnectionErrorCode::ClusterNotFound,
            Self::NoHsm => ConnectionErrorCode::InsufficientCloudhsmHsms,
            Self::Network => ConnectionErrorCode::NetworkErrors,
            Self::UserNotFound => ConnectionErrorCode::UserNotFound,
            Self::UserLoggedIn => ConnectionErrorCode::UserLoggedIn,
            Self::UserLockedOut => ConnectionErrorCode::UserLockedOut,
            Self::InvalidCredentials => ConnectionErrorCode::InvalidCredentials,
            Self::Internal => ConnectionErrorCode::InternalError,
        }
    }
}

/// The cluster with an id that an account has registered in a Region.
pub fn find_cluster<'r>(
    registered: &'r [RegisteredCluster],
    id: &str,
    account: AccountId,
    region: Region,
) -> Result<&'r RegisteredCluster, ClusterError> {
    let is_it = |cluster: &&RegisteredCluster| {
        cluster.id == id && cluster.account == account && cluster.region == region
    };
    registered.iter().find(is_it).ok_or_else(|| ClusterError::NotFound(id.to_owned()))
}

impl RegisteredCluster {
    /// The HSMs that take part.
    pub fn active_hsms(&self) -> impl Iterator<Item = &Hsm> {
        self.hsms.iter().filter(|hsm| hsm.state == HsmState::Active)
    }

    /// Whether a key store can be made of it, or moved to it.
    pub fn check_new(&self) -> Result<(), ClusterError> {
        self.check_active()?;
        self.check_surroundings()?;
        check_zones(self.active_hsms())
    }

    /// The HSMs that a new key is made in: those that take part and answer, where they are enough.
    pub fn hsms_for_a_key(&self, answering: &[String]) -> Result<Vec<String>, ClusterError> {
        self.check_new()?;
        let answers = |hsm: &&Hsm| answering.contains(&hsm.token_serial);
        check_zones(self.active_hsms().filter(answers))?;
        Ok(self.active_hsms().filter(answers).map(|hsm| hsm.token_serial.clone()).collect())
    }

    /// Whether an attempt to connect makes sense, by what is known without one.
    pub fn check_connectable(&self) -> Result<(), ClusterError> {
        // That it is gone shows when the attempt is made.
        if self.state == ClusterState::Deleted {
            return Ok(());
        }
        self.check_active()?;
        self.check_surroundings()?;
        if self.active_hsms().next().is_none() {
            return Err(ClusterError::Invalid("it must have at least one active HSM"));
        }
        Ok(())
    }

    /// What an attempt to connect finds before it comes to the HSMs.
    pub fn check_way(&self) -> Result<(), ConnectionErrorCode> {
        if self.state == ClusterState::Deleted {
            Err(ConnectionErrorCode::ClusterNotFound)
        } else if self.subnets.iter().any(|subnet| subnet.deleted) {
            Err(ConnectionErrorCode::SubnetNotFound)
        } else if self.subnets.iter().any(|subnet| subnet.free_addresses == 0) {
            Err(ConnectionErrorCode::InsufficientFreeAddressesInSubnet)
        } else {
            Ok(())
        }
    }

    /// Whether it is in use.
    pub fn check_active(&self) -> Result<(), ClusterError> {
        match self.state {
            ClusterState::Active | ClusterState::Degraded => Ok(()),
            ClusterState::Uninitialized | ClusterState::Initialized | ClusterState::Deleted => {
                Err(ClusterError::NotActive(self.id.clone()))
            }
        }
    }

    fn check_surroundings(&self) -> Result<(), ClusterError> {
        let zones: BTreeSet<&str> =
            self.subnets.iter().map(|subnet| subnet.availability_zone.as_str()).collect();
        if zones.len() < ZONES_MIN {
            Err(ClusterError::Invalid(
                "it must have private subnets in at least two different Availability Zones",
            ))
        } else if !self.security_group_ok {
            Err(ClusterError::Invalid("its security group must let TCP traffic on ports 2223-2225 through"))
        } else {
            Ok(())
        }
    }
}

fn check_zones<'h>(hsms: impl Iterator<Item = &'h Hsm>) -> Result<(), ClusterError> {
    let zones: BTreeSet<&str> = hsms.map(|hsm| hsm.availability_zone.as_str()).collect();
    if zones.len() < ZONES_MIN {
        return Err(ClusterError::Invalid(
            "it must have at least two active HSMs in different Availability Zones",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(zone: &str) -> Subnet {
        let availability_zone = zone.to_owned();
        Subnet { id: format!("subnet-{zone}"), availability_zone, free_addresses: 1, deleted: false }
    }

    fn hsm(id: &str, zone: &str) -> Hsm {
        let [id, zone, token_serial] = [id, zone, id].map(str::to_owned);
        Hsm { id, availability_zone: zone, token_serial, state: HsmState::Active }
    }

    fn cluster() -> RegisteredCluster {
        RegisteredCluster {
            id: "cluster-234abcdefABC".to_owned(),
            account: "111122223333".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            state: ClusterState::Active,
            trust_anchor: Vec::new(),
            lineage: [7; 32],
            security_group_ok: true,
            subnets: vec![subnet("a"), subnet("b")],
            hsms: vec![hsm("1", "a"), hsm("2", "b")],
            failed_logins_max: 5,
        }
    }

    fn changed(change: impl FnOnce(&mut RegisteredCluster)) -> RegisteredCluster {
        let mut changed = cluster();
        change(&mut changed);
        changed
    }

    #[test]
    fn hsms_that_missed_a_change_keep_the_password_that_they_have() {
        let passwords =
            Passwords { pending: Some(b"second".to_vec()), failed_logins: 3, ..Passwords::default() };
        let behind = Cluster { id: String::new(), trust_anchor: String::new(), lineage: [0; 32], passwords };
        let mut store = KeyStore {
            backing: Backing::CloudHsm(behind),
            sealed_secret: b"first".to_vec(),
            ..super::super::proxy::tests::store()
        };
        let change = |store: &mut KeyStore, pending: Option<&[u8]>, have: &[&str]| {
            let Backing::CloudHsm(Cluster { passwords, .. }) = &mut store.backing else { panic!() };
            passwords.pending = pending.map(<[u8]>::to_vec);
            let have: Vec<_> = have.iter().map(|serial| (*serial).to_owned()).collect();
            store.password_changed(&have, &[hsm("1", "a"), hsm("2", "b")]);
            let passwords = store.cluster().unwrap().passwords.clone();
            assert_eq!((passwords.pending, passwords.failed_logins), (None, 0));
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let behind = passwords.behind.into_iter().map(|(serial, password)| (serial, text(&password)));
            (text(&store.sealed_secret), behind.collect::<Vec<_>>())
        };
        let left = |serial: &str, password: &str| vec![(serial.to_owned(), password.to_owned())];
        assert_eq!(change(&mut store, Some(b"second"), &["1"]), ("second".to_owned(), left("2", "first")));
        assert_eq!(change(&mut store, Some(b"third"), &["1"]), ("third".to_owned(), left("2", "first")));
        assert_eq!(change(&mut store, Some(b"fourth"), &["2"]), ("fourth".to_owned(), left("1", "third")));
        assert_eq!(change(&mut store, None, &["1", "2"]), ("fourth".to_owned(), left("1", "third")));
        assert_eq!(change(&mut store, Some(b"fifth"), &["1", "2"]), ("fifth".to_owned(), vec![]));
    }

    #[test]
    fn one_hsm_is_enough_unless_the_user_is_not_right_in_another() {
        use ClusterFailure as Failure;
        let overall = |failures: &[Failure]| {
            let failed: Vec<_> = failures.iter().map(|failure| Err(*failure)).collect();
            let with_one = [&failed[..], &[Ok(())]].concat();
            (Failure::overall(&failed).unwrap_err(), Failure::overall(&with_one).err())
        };
        assert_eq!(overall(&[]), (Failure::NoHsm, None));
        assert_eq!(overall(&[Failure::NoHsm, Failure::NoHsm]), (Failure::NoHsm, None));
        assert_eq!(overall(&[Failure::NoHsm, Failure::Network]), (Failure::Network, None));
        assert_eq!(
            overall(&[Failure::Network, Failure::InvalidCredentials]),
            (Failure::InvalidCredentials, None)
        );
        for failure in [Failure::UserNotFound, Failure::UserLoggedIn, Failure::UserLockedOut] {
            assert_eq!(overall(&[Failure::NoHsm, failure]), (failure, Some(failure)));
        }
    }

    #[test]
    fn a_cluster_is_found_where_it_belongs() {
        let registered = [cluster()];
        let RegisteredCluster { id, account, region, .. } = cluster();
        assert_eq!(find_cluster(&registered, &id, account, region), Ok(&registered[0]));
        let elsewhere = [
            find_cluster(&registered, "cluster-otherothert", account, region),
            find_cluster(&registered, &id, "444455556666".parse().unwrap(), region),
            find_cluster(&registered, &id, account, "eu-west-1".parse().unwrap()),
        ];
        for found in elsewhere {
            assert_eq!(found.unwrap_err().code(), ErrorCode::CloudHsmClusterNotFound);
        }
    }

    #[test]
    fn making_a_store_needs_two_zones_and_connecting_one_hsm() {
        let codes = |cluster: &RegisteredCluster| {
            let code = |checked: Result<(), ClusterError>| checked.err().map(|error| error.code());
            (code(cluster.check_new()), code(cluster.check_connectable()))
        };
        let invalid = Some(ErrorCode::CloudHsmClusterInvalidConfiguration);
        let inactive = Some(ErrorCode::CloudHsmClusterNotActive);
        assert_eq!(codes(&cluster()), (None, None));
        assert_eq!(codes(&changed(|it| it.state = ClusterState::Degraded)), (None, None));
        assert_eq!(codes(&changed(|it| it.hsms[1].availability_zone = "a".to_owned())), (invalid, None));
        assert_eq!(codes(&changed(|it| it.hsms[1].state = HsmState::Inactive)), (invalid, None));
        assert_eq!(codes(&changed(|it| it.hsms.clear())), (invalid, invalid));
        assert_eq!(codes(&changed(|it| it.subnets.truncate(1))), (invalid, invalid));
        assert_eq!(codes(&changed(|it| it.security_group_ok = false)), (invalid, invalid));
        for state in [ClusterState::Uninitialized, ClusterState::Initialized] {
            assert_eq!(codes(&changed(|it| it.state = state)), (inactive, inactive));
        }
        assert_eq!(codes(&changed(|it| it.state = ClusterState::Deleted)), (inactive, None));
    }

    #[test]
    fn a_key_is_made_in_all_hsms_that_take_part_and_answer_unless_they_are_in_one_zone() {
        let three = changed(|it| it.hsms.push(hsm("3", "b")));
        let of = |answering: &[&str]| {
            let answering: Vec<_> = answering.iter().map(|serial| (*serial).to_owned()).collect();
            three.hsms_for_a_key(&answering).map_err(|error| error.code())
        };
        let invalid = Err(ErrorCode::CloudHsmClusterInvalidConfiguration);
        assert_eq!(of(&["3", "1", "elsewhere"]), Ok(vec!["1".to_owned(), "3".to_owned()]));
        assert_eq!(of(&["2", "3"]), invalid);
        assert_eq!(of(&[]), invalid);
        let inactive = changed(|it| it.hsms[1].state = HsmState::Inactive);
        let refused = inactive.hsms_for_a_key(&["1".to_owned(), "2".to_owned()]);
        assert_eq!(refused.map_err(|error| error.code()), invalid);
    }

    #[test]
    fn the_way_to_the_hsms_is_looked_at_in_order() {
        assert_eq!(cluster().check_way(), Ok(()));
        let mut worse = changed(|it| it.subnets[1].free_addresses = 0);
        assert_eq!(worse.check_way(), Err(ConnectionErrorCode::InsufficientFreeAddressesInSubnet));
        worse.subnets[0].deleted = true;
        assert_eq!(worse.check_way(), Err(ConnectionErrorCode::SubnetNotFound));
        worse.state = ClusterState::Deleted;
        assert_eq!(worse.check_way(), Err(ConnectionErrorCode::ClusterNotFound));
    }
}
