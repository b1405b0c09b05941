//! The server from outside: real sockets, the real service behind them.

#[cfg(test)]
mod api;
#[cfg(test)]
mod drain;
#[cfg(test)]
mod http1;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tls;
