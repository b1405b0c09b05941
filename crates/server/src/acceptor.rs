//! The acceptor: one thread that takes new connections and deals each to the core with the fewest.
//!
//! Not SO_REUSEPORT: it hashes a few long-lived clients onto one core, and lets a second process share the port
//! unnoticed.

use std::io::{self, Write};
use std::net::{self, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::core::{Arrival, Listener, Load, Message, Seat};
use crate::metrics::ConnectionMetrics;
use crate::sources::Sources;

/// How long accepting rests after an error that is not the client's: most likely there are no file descriptors
/// left, and asking again at once would only burn the processor.
const REST: Duration = Duration::from_millis(50);

/// What the acceptor is told.
pub(crate) enum Order {
    /// Close the listeners; then have the cores drain until this time.
    Drain(Instant),
    /// Close the listeners.
    Stop,
}

/// A core as the acceptor sees it.
#[derive(Clone)]
pub(crate) struct Seats {
    pub(crate) messages: mpsc::UnboundedSender<Message>,
    pub(crate) load: Arc<Load>,
}

/// Deals connections to cores.
pub(crate) struct Dealer {
    pub(crate) cores: Vec<Seats>,
    pub(crate) sources: Arc<Sources>,
    pub(crate) metrics: Arc<ConnectionMetrics>,
}

/// Accepts on all listeners until told to end.
pub(crate) async fn run(
    listeners: Vec<(net::TcpListener, Arc<Listener>)>,
    dealer: Dealer,
    mut orders: mpsc::UnboundedReceiver<Order>,
) {
    let dealer = Arc::new(dealer);
    let mut accepting = JoinSet::new();
    for (socket, listener) in listeners {
        accepting.spawn(accept_all(socket, listener, Arc::clone(&dealer)));
    }
    let order = orders.recv().await;
    // The listeners are closed before the cores hear of the drain, so that nobody is dealt to them after it.
    accepting.shutdown().await;
    if let Some(Order::Drain(end)) = order {
        for core in &dealer.cores {
            // A core that is gone has nothing to drain.
            let _ = core.messages.send(Message::Drain(end));
        }
    }
}

async fn accept_all(socket: net::TcpListener, listener: Arc<Listener>, dealer: Arc<Dealer>) {
    let socket = match TcpListener::from_std(socket) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!(%error, "a listener cannot be watched");
            return;
        }
    };
    loop {
        // The core that the connection is dealt to watches it with a reactor of its own.
        match socket.accept().await.and_then(|(stream, peer)| Ok((stream.into_std()?, peer))) {
            Ok((stream, peer)) => dealer.deal(stream, peer, &listener),
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                sleep(REST).await;
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

impl Dealer {
    fn deal(&self, stream: TcpStream, peer: SocketAddr, listener: &Arc<Listener>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection was gone before it was served");
            return;
        }
        let core = self.cores.iter().min_by_key(|core| core.load.open());
        let (Some(core), Some(guest)) = (core, self.sources.admit(peer.ip())) else {
            self.metrics.refused.inc();
            return refuse(stream, listener);
        };
        self.metrics.accepted.inc();
        let seat = Seat::take(&core.load, guest);
        let arrival = Arrival { stream, peer, listener: Arc::clone(listener), seat };
        if core.messages.send(Message::Serve(arrival)).is_err() {
            tracing::error!("a core is gone; its connections are refused");
        }
    }
}

/// Says why, if that takes no handshake, and closes.
fn refuse(mut stream: TcpStream, listener: &Listener) {
    const ANSWER: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\nretry-after: 1\r\n\r\n";
    if listener.tls.is_none() {
        // Best effort: a fresh socket has room for this, and whoever is gone need not be told.
        let _ = stream.write(ANSWER);
    }
}
