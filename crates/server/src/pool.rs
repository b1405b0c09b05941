//! An acceptor and its cores: threads, started and ended together.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::acceptor::{self, Dealer, Order, Seats};
use crate::core::{Core, Listener, Load, Message};
use crate::endpoint::Endpoint;
use crate::limits::Limits;
use crate::metrics::ConnectionMetrics;
use crate::sources::Sources;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4096;

/// How many turns connections that always have something to do may take before others are looked for. A core whose
/// connections wait now and then looks each time that all of them do.
const TURNS: u32 = 8;

/// Running threads.
pub(crate) struct Pool {
    addresses: Vec<SocketAddr>,
    orders: mpsc::UnboundedSender<Order>,
    cores: Vec<mpsc::UnboundedSender<Message>>,
    running: watch::Receiver<usize>,
    cut: Arc<AtomicUsize>,
}

/// A listener that is bound, and so has an address.
pub(crate) struct Bound {
    pub(crate) socket: TcpListener,
    pub(crate) listener: Arc<Listener>,
}

/// Binds an address; port 0 takes a free one.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Lets the next process have the port while connections of the last one linger; it does not let two listen.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    // Listening registers with a reactor; this one lives for just that.
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let listening = {
        let _entered = runtime.enter();
        socket.listen(BACKLOG).and_then(tokio::net::TcpListener::into_std)
    };
    // Merely dropping it would panic where the caller is itself on a runtime.
    runtime.shutdown_background();
    listening
}

impl Pool {
    /// Starts the threads. `endpoint` is called once for each core.
    pub(crate) fn start<E: Endpoint>(
        name: &str,
        listeners: Vec<Bound>,
        cores: usize,
        limits: &Limits,
        metrics: &Arc<ConnectionMetrics>,
        mut endpoint: impl FnMut() -> E,
    ) -> io::Result<Self> {
        let addresses = listeners.iter().map(|bound| bound.socket.local_addr()).collect::<io::Result<_>>()?;
        let (orders, orders_receiver) = mpsc::unbounded_channel();
        let (running_sender, running) = watch::channel(0);
        let running_sender = Arc::new(running_sender);
        let cut = Arc::new(AtomicUsize::new(0));
        let mut seats = Vec::new();
        for number in 0..cores.max(1) {
            let (messages, receiver) = mpsc::unbounded_channel();
            let load = Arc::new(Load::default());
            let endpoint = endpoint();
            let idle = endpoint.idle();
            let core = Core::new(endpoint, limits.clone(), Arc::clone(metrics), Arc::clone(&load));
            let cut = Arc::clone(&cut);
            spawn(format!("{name}-{number}"), &running_sender, idle, move |runtime| {
                cut.fetch_add(runtime.block_on(core.run(receiver)), Relaxed);
            })?;
            seats.push(Seats { messages, load });
        }
        let cores = seats.iter().map(|core| core.messages.clone()).collect();
        let sources = Sources::new(limits, Arc::clone(metrics));
        let dealer = Dealer { cores: seats, sources, metrics: Arc::clone(metrics) };
        let listeners = listeners.into_iter().map(|bound| (bound.socket, bound.listener)).collect();
        spawn(
            format!("{name}-accept"),
            &running_sender,
            || {},
            move |runtime| {
                runtime.block_on(acceptor::run(listeners, dealer, orders_receiver));
            },
        )?;
        Ok(Self { addresses, orders, cores, running, cut })
    }

    /// Where the listeners are bound, in the order they were given.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Accepts no more, and ends when all requests are answered or at the deadline.
    pub(crate) fn drain(&self, deadline: Duration) {
        // Whoever cannot be told any more has ended.
        let _ = self.orders.send(Order::Drain(Instant::now() + deadline));
    }

    /// Ends now.
    pub(crate) fn stop(&self) {
        let _ = self.orders.send(Order::Stop);
        for core in &self.cores {
            let _ = core.send(Message::Stop);
        }
    }

    /// Waits until all threads have ended; gives the number of connections that were cut.
    pub(crate) async fn ended(&self) -> usize {
        let mut running = self.running.clone();
        // An error means that all who could tell have ended.
        let _ = running.wait_for(|running| *running == 0).await;
        self.cut.load(Relaxed)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts a thread with a runtime, counted as running until both are gone. `idle` is called whenever there is nothing to do.
fn spawn(
    name: String,
    running: &Arc<watch::Sender<usize>>,
    idle: impl Fn() + Send + Sync + 'static,
    body: impl FnOnce(&Runtime) + Send + 'static,
) -> io::Result<()> {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_all().event_interval(TURNS).on_thread_park(idle).build()?;
    running.send_modify(|running| *running += 1);
    let counted = Counted(Arc::clone(running));
    thread::Builder::new().name(name).spawn(move || {
        let _counted = counted;
        body(&runtime);
        // Here, before the count goes down: tasks that are left are dropped, and with them their connections. Threads in
        // which the system is asked about names are not waited for.
        runtime.shutdown_background();
    })?;
    Ok(())
}

struct Counted(Arc<watch::Sender<usize>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running = running.saturating_sub(1));
    }
}
