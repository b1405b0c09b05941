//! What answers the requests of a set of listeners; everything below it is transport.

use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use trent_service::ClientCertificate;

/// An answer, complete.
pub(crate) type Answer = Response<Full<Bytes>>;

/// Where a request comes from.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The address of the peer.
    pub(crate) source: IpAddr,
    /// Whether the listener can be reached from this machine alone.
    pub(crate) on_loopback: bool,
    /// How the connection is encrypted, if it is.
    pub(crate) tls: Option<EncryptedWith>,
    /// The certificate that the client has shown, if it has.
    pub(crate) client: Option<Arc<ClientCertificate>>,
    /// The id of the private endpoint that it came through.
    pub(crate) endpoint: Option<Arc<str>>,
}

/// What a TLS handshake has agreed on, as audit records name it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EncryptedWith {
    pub(crate) version: &'static str,
    pub(crate) cipher: &'static str,
    pub(crate) key_exchange: Option<&'static str>,
}

/// Answers requests. Each core has one of its own, so that its state is shared with no other core.
///
/// An answer that leaves part of the request unread says `Connection: close`; the transport then takes care that
/// the client gets to see it.
pub(crate) trait Endpoint: Send + Sync + 'static {
    /// Answers a request. It may be dropped at any await, when the client goes away.
    fn answer(&self, request: Request<Incoming>, origin: &Origin) -> impl Future<Output = Answer> + Send;

    /// What its core calls whenever it has nothing more to do.
    fn idle(&self) -> impl Fn() + Send + Sync + 'static {
        || {}
    }
}
