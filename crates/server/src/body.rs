//! Bodies of requests: read whole, within limits.
//!
//! Nearly all come in one piece, which is then used where it lies, without a copy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};

use crate::limits::Limits;

/// Why a body was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// It is larger than allowed.
    TooLarge,
    /// There is no room for it now.
    Busy,
    /// Its client is gone, or it is not what HTTP calls a body.
    Broken,
}

/// A body, complete.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    _room: Option<Room>,
}

/// The memory that large bodies may take, over all connections.
///
/// Without it, as many clients as there may be connections could each leave a large body unfinished.
#[derive(Debug)]
pub(crate) struct Bodies {
    bytes_left: AtomicUsize,
    bytes_max: usize,
}

impl Bodies {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let bytes_left = AtomicUsize::new(limits.bodies_bytes_max);
        Arc::new(Self { bytes_left, bytes_max: limits.body_bytes_max })
    }

    /// Reads a body. One that says up front that it is too large is not read at all.
    pub(crate) async fn read(self: &Arc<Self>, mut body: Incoming) -> Result<Body, BodyError> {
        let announced = body.size_hint().lower();
        if announced > u64::try_from(self.bytes_max).unwrap_or(u64::MAX) {
            return Err(BodyError::TooLarge);
        }
        let first = next(&mut body).await?.unwrap_or_default();
        if first.len() > self.bytes_max {
            return Err(BodyError::TooLarge);
        }
        if body.is_end_stream() {
            return Ok(Body { bytes: first, _room: None });
        }
        self.read_on(first, body).await
    }

    async fn read_on(self: &Arc<Self>, first: Bytes, mut body: Incoming) -> Result<Body, BodyError> {
        let mut room = Room { bodies: Arc::clone(self), bytes: 0 };
        let mut bytes = Vec::new();
        let mut piece = Some(first);
        while let Some(more) = piece {
            if bytes.len() + more.len() > self.bytes_max {
                return Err(BodyError::TooLarge);
            }
            room.take(more.len())?;
            bytes.extend_from_slice(&more);
            piece = next(&mut body).await?;
        }
        Ok(Body { bytes: bytes.into(), _room: Some(room) })
    }
}

/// The next piece with data in it.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, BodyError> {
    while let Some(frame) = body.frame().await {
        match frame.map_err(|_| BodyError::Broken)?.into_data() {
            Ok(data) if !data.is_empty() => return Ok(Some(data)),
            // Trailers mean nothing in this API.
            _ => {}
        }
    }
    Ok(None)
}

/// A share of that memory, given back when dropped.
#[derive(Debug)]
struct Room {
    bodies: Arc<Bodies>,
    bytes: usize,
}

impl Room {
    fn take(&mut self, bytes: usize) -> Result<(), BodyError> {
        let taken = self.bodies.bytes_left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes));
        taken.map_err(|_| BodyError::Busy)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.bodies.bytes_left.fetch_add(self.bytes, Relaxed);
    }
}
