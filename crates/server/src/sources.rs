//! Who is connected, in all and by address: the limits on connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits::Limits;
use crate::metrics::ConnectionMetrics;

/// Counts connections.
pub(crate) struct Sources {
    connections_max: usize,
    per_source_max: Option<usize>,
    // Taken when a connection opens and closes, never for a request.
    present: Mutex<Present>,
    metrics: Arc<ConnectionMetrics>,
}

#[derive(Default)]
struct Present {
    all: usize,
    by_source: HashMap<IpAddr, usize>,
}

impl Sources {
    pub(crate) fn new(limits: &Limits, metrics: Arc<ConnectionMetrics>) -> Arc<Self> {
        Arc::new(Self {
            connections_max: limits.connections_max,
            per_source_max: limits.connections_per_source_max,
            present: Mutex::default(),
            metrics,
        })
    }

    /// Lets a connection in, unless there are too many.
    pub(crate) fn admit(self: &Arc<Self>, source: IpAddr) -> Option<Guest> {
        let source = source.to_canonical();
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if present.all >= self.connections_max {
            return None;
        }
        if let Some(max) = self.per_source_max {
            let here = present.by_source.entry(source).or_default();
            if *here >= max {
                return None;
            }
            *here += 1;
        }
        present.all += 1;
        self.metrics.open.inc();
        Some(Guest { sources: Arc::clone(self), source })
    }

    fn leave(&self, source: IpAddr) {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        present.all = present.all.saturating_sub(1);
        if let Some(here) = present.by_source.get_mut(&source) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                present.by_source.remove(&source);
            }
        }
        self.metrics.open.dec();
    }
}

/// A connection that was let in; counted until dropped.
pub(crate) struct Guest {
    sources: Arc<Sources>,
    source: IpAddr,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.sources.leave(self.source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_limited_in_all_and_by_source() {
        let limits = Limits { connections_max: 3, connections_per_source_max: Some(2), ..Limits::default() };
        let sources = Sources::new(&limits, Arc::default());
        let [a, b] = [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])];
        let (first, _second) = (sources.admit(a).unwrap(), sources.admit(a).unwrap());
        assert!(sources.admit(a).is_none(), "two from one source");
        let _third = sources.admit(b).unwrap();
        assert!(sources.admit(b).is_none(), "three in all");
        drop(first);
        assert!(sources.admit(a).is_some());
    }
}
