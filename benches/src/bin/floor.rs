//! The floor: hyper, and nothing else, in the shape of trent's server.
//!
//! One acceptor deals connections to one single-threaded runtime per core; each request's body is read and
//! answered with 400 fixed bytes. What trent takes beyond this is trent's own.

use std::convert::Infallible;
use std::io::{self, Write};
use std::net::TcpListener;
use std::thread;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

static ANSWER: [u8; 400] = [b'x'; 400];

fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    let mut cores = Vec::new();
    for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
        let (sender, receiver) = unbounded_channel();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        thread::spawn(move || runtime.block_on(serve(receiver)));
        cores.push(sender);
    }
    // The line that trent prints, so that whoever starts the one can start the other.
    println!("floor is ready: kms http://{}", listener.local_addr()?);
    io::stdout().flush()?;
    deal(&listener, &cores)
}

/// In turn: connections of a measurement are opened together and closed together.
fn deal(listener: &TcpListener, cores: &[UnboundedSender<std::net::TcpStream>]) -> Result<()> {
    for core in cores.iter().cycle() {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        core.send(stream).context("a core is gone")?;
    }
    Ok(())
}

async fn serve(mut arrivals: UnboundedReceiver<std::net::TcpStream>) {
    while let Some(stream) = arrivals.recv().await {
        let Ok(stream) = tokio::net::TcpStream::from_std(stream) else { continue };
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
        // Clients that go away are no news.
        tokio::spawn(async { drop(connection.await) });
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    // What cannot be read is a connection that ends.
    let _ = request.into_body().collect().await;
    Ok(Response::new(Full::new(Bytes::from_static(&ANSWER))))
}
