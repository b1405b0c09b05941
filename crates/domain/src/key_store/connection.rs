//! How far the connection of a custom key store is, and what may be done in each state.
//!
//! ```text
//!   Disconnected ──connect──► Connecting ──established──► Connected
//!        ▲                      │     │                       │
//!        │                 failed     │ disconnect            │ disconnect
//!        │                      ▼     ▼                       ▼
//!        │                   Failed ──disconnect──► Disconnecting
//!        └────────────────────────────disconnected────────┘
//! ```
//!
//! `Connected` says that a connection was established and not taken down on purpose: later outages show as errors
//! of the operations on keys, never here.

use serde::{Deserialize, Serialize};
use trent_protocol::{ConnectionErrorCode, ConnectionState};

use super::{KeyStore, KeyStoreId};
use crate::time::Timestamp;

/// How far a connection is. Each variant holds what only that state has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Connection {
    /// Never connected, or disconnected on purpose.
    Disconnected,
    /// An attempt is under way.
    Connecting {
        /// When it began.
        since: Timestamp,
    },
    /// Established, and not taken down on purpose.
    Connected,
    /// The last attempt failed.
    Failed {
        /// Why.
        code: ConnectionErrorCode,
    },
    /// Being taken down.
    Disconnecting,
}

impl Connection {
    /// The state as the API names it.
    pub const fn state(self) -> ConnectionState {
        match self {
            Self::Disconnected => ConnectionState::Disconnected,
            Self::Connecting { .. } => ConnectionState::Connecting,
            Self::Connected => ConnectionState::Connected,
            Self::Failed { .. } => ConnectionState::Failed,
            Self::Disconnecting => ConnectionState::Disconnecting,
        }
    }

    /// Why the last attempt failed.
    pub const fn error_code(self) -> Option<ConnectionErrorCode> {
        match self {
            Self::Failed { code } => Some(code),
            _ => None,
        }
    }

    /// Whether somebody has to bring it to an end: an attempt to connect, or to disconnect, is under way.
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::Connecting { .. } | Self::Disconnecting)
    }
}

/// The connection of a key store is in a state that does not allow what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The custom key store {id} is {state}; this can be done only while it is {needed}.")]
pub struct InvalidConnectionState {
    /// The key store.
    pub id: KeyStoreId,
    /// Its state.
    pub state: ConnectionState,
    /// The states that allow it, in words.
    pub needed: &'static str,
}

/// A property that UpdateCustomKeyStore changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Property {
    /// The name.
    Name,
    /// The credential that requests to a proxy are signed with.
    Credential,
    /// The path of a proxy.
    Path,
    /// The host of a proxy, or the way to it.
    Route,
    /// The cluster, or the password of `kmsuser`.
    Cluster,
}

impl Property {
    const fn changes_while_connected(self) -> bool {
        matches!(self, Self::Name | Self::Credential | Self::Path)
    }
}

impl KeyStore {
    /// Begins an attempt to connect. `false` when one is under way or has succeeded: there is nothing to do.
    pub fn connect(&mut self, now: Timestamp) -> Result<bool, InvalidConnectionState> {
        match self.connection {
            Connection::Connected | Connection::Connecting { .. } => Ok(false),
            Connection::Failed { .. } | Connection::Disconnecting => Err(self.refuse("DISCONNECTED")),
            Connection::Disconnected => {
                self.connection = Connection::Connecting { since: now };
                self.attempt += 1;
                Ok(true)
            }
        }
    }

    /// Ends the attempt to connect with this number. `false` when it had been given up: its result is nobody's.
    pub fn connected(&mut self, attempt: u64, result: Result<(), ConnectionErrorCode>) -> bool {
        if self.attempt != attempt || !matches!(self.connection, Connection::Connecting { .. }) {
            return false;
        }
        self.connection = match result {
            Ok(()) => Connection::Connected,
            Err(code) => Connection::Failed { code },
        };
        true
    }

    /// Begins to disconnect, and gives up an attempt to connect.
    pub fn disconnect(&mut self) -> Result<(), InvalidConnectionState> {
        match self.connection {
            Connection::Disconnected | Connection::Disconnecting => {
                Err(self.refuse("CONNECTED, CONNECTING or FAILED"))
            }
            Connection::Connected | Connection::Connecting { .. } | Connection::Failed { .. } => {
                self.connection = Connection::Disconnecting;
                self.attempt += 1;
                Ok(())
            }
        }
    }

    /// Ends the attempt to disconnect with this number. `false` when another has begun.
    pub fn disconnected(&mut self, attempt: u64) -> bool {
        let ends = self.attempt == attempt && self.connection == Connection::Disconnecting;
        if ends {
            self.connection = Connection::Disconnected;
        }
        ends
    }

    /// Whether all these properties may be changed now. One that needs the store disconnected decides for all.
    pub fn check_update(&self, properties: &[Property]) -> Result<(), InvalidConnectionState> {
        let (allowed, needed) = if properties.iter().all(|property| property.changes_while_connected()) {
            let allowed = matches!(self.connection, Connection::Connected | Connection::Disconnected);
            (allowed, "CONNECTED or DISCONNECTED")
        } else {
            (self.connection == Connection::Disconnected, "DISCONNECTED")
        };
        if allowed { Ok(()) } else { Err(self.refuse(needed)) }
    }

    /// Whether the store may be deleted now.
    pub fn check_delete(&self) -> Result<(), InvalidConnectionState> {
        if self.connection == Connection::Disconnected { Ok(()) } else { Err(self.refuse("DISCONNECTED")) }
    }

    fn refuse(&self, needed: &'static str) -> InvalidConnectionState {
        InvalidConnectionState { id: self.id.clone(), state: self.connection.state(), needed }
    }
}

#[cfg(test)]
mod tests {
    use super::super::proxy::tests::store;
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(5);
    const CODE: ConnectionErrorCode = ConnectionErrorCode::XksProxyTimedOut;
    const ALL: [Connection; 5] = [
        Connection::Disconnected,
        Connection::Connecting { since: NOW },
        Connection::Connected,
        Connection::Failed { code: CODE },
        Connection::Disconnecting,
    ];

    fn in_state(connection: Connection) -> KeyStore {
        KeyStore { connection, attempt: 7, ..store() }
    }

    #[test]
    fn connecting_begins_only_where_nothing_is_under_way() {
        let answers = ALL.map(|state| {
            let mut store = in_state(state);
            let answer = store.connect(NOW).map_err(|error| error.needed);
            (answer, store.connection.state(), store.attempt)
        });
        assert_eq!(
            answers,
            [
                (Ok(true), ConnectionState::Connecting, 8),
                (Ok(false), ConnectionState::Connecting, 7),
                (Ok(false), ConnectionState::Connected, 7),
                (Err("DISCONNECTED"), ConnectionState::Failed, 7),
                (Err("DISCONNECTED"), ConnectionState::Disconnecting, 7),
            ]
        );
    }

    #[test]
    fn disconnecting_gives_up_whatever_there_is() {
        let answers = ALL.map(|state| {
            let mut store = in_state(state);
            let answer = store.disconnect().is_ok();
            (answer, store.connection.state(), store.attempt, store.connection.error_code())
        });
        assert_eq!(
            answers,
            [
                (false, ConnectionState::Disconnected, 7, None),
                (true, ConnectionState::Disconnecting, 8, None),
                (true, ConnectionState::Disconnecting, 8, None),
                (true, ConnectionState::Disconnecting, 8, None),
                (false, ConnectionState::Disconnecting, 7, None),
            ]
        );
    }

    #[test]
    fn a_late_result_is_nobodys() {
        let mut store = in_state(Connection::Disconnected);
        assert_eq!(store.connect(NOW), Ok(true));
        let given_up = store.attempt;
        store.disconnect().unwrap();
        assert!(!store.connected(given_up, Ok(())));
        assert!(!store.disconnected(given_up));
        assert!(store.disconnected(store.attempt));
        assert_eq!(store.connect(NOW), Ok(true));
        assert!(!store.connected(given_up, Ok(())));
        assert!(store.connected(store.attempt, Err(CODE)));
        assert_eq!(store.connection.error_code(), Some(CODE));
        assert!(!store.connected(store.attempt, Ok(())), "an attempt ends once");
    }

    #[test]
    fn the_strictest_property_decides_when_an_update_is_allowed() {
        use Property::{Cluster, Credential, Name, Path, Route};
        let allowed =
            |properties: &[Property]| ALL.map(|state| in_state(state).check_update(properties).is_ok());
        let [disconnected, with_connected] =
            [[true, false, false, false, false], [true, false, true, false, false]];
        for property in [Name, Credential, Path] {
            assert_eq!(allowed(&[property]), with_connected, "{property:?}");
        }
        for property in [Route, Cluster] {
            assert_eq!(allowed(&[property]), disconnected, "{property:?}");
            assert_eq!(allowed(&[Name, property]), disconnected, "{property:?}");
        }
        assert_eq!(allowed(&[]), with_connected);
        assert_eq!(ALL.map(|state| in_state(state).check_delete().is_ok()), disconnected);
        let refused = in_state(Connection::Connected).check_update(&[Route]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "The custom key store cks-00000000000000000 is CONNECTED; this can be done only while it is DISCONNECTED."
        );
    }
}
