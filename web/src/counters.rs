//! The process's own metrics: bumped by code, all names in one file, labels bounded. Metrics of delivery are computed from data and
//! live in `exposition`.

use prometheus::{Histogram, HistogramOpts, IntCounterVec, Opts, Registry, proto::MetricFamily};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

pub struct Counters {
    registry: Registry,
    received: IntCounterVec,
    refused: IntCounterVec,
    requests: IntCounterVec,
    ingest_seconds: Histogram,
    /// The last refusal of each source, for `/sources`.
    refusals: Mutex<BTreeMap<String, Refusal>>,
}

/// Why a delivery was not taken, for the person who sets the hook up.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub reason: &'static str,
    pub at: flowgauge_lake::model::Time,
    pub count: u64,
}

fn counter(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    let counter = IntCounterVec::new(Opts::new(name, help), labels).expect("the name is valid");
    registry.register(Box::new(counter.clone())).expect("the name is not taken");
    counter
}

impl Counters {
    pub fn new() -> Self {
        let registry = Registry::new();
        let buckets = vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 4.0];
        let options = HistogramOpts::new("flowgauge_ingest_seconds", "Time from a delivery's last byte to its durable acknowledgement.")
            .buckets(buckets);
        let ingest_seconds = Histogram::with_opts(options).expect("the name is valid");
        registry.register(Box::new(ingest_seconds.clone())).expect("the name is not taken");
        Counters {
            received: counter(
                &registry,
                "flowgauge_events_received_total",
                "Deliveries acknowledged, by source and whether they were new.",
                &["source", "result"],
            ),
            refused: counter(
                &registry,
                "flowgauge_events_refused_total",
                "Deliveries refused, by reason. An unknown source has no name here.",
                &["source", "reason"],
            ),
            requests: counter(
                &registry,
                "flowgauge_http_requests_total",
                "Requests answered, by route and status class.",
                &["route", "status"],
            ),
            ingest_seconds,
            registry,
            refusals: Mutex::default(),
        }
    }

    pub fn received(&self, source: &str, duplicate: bool, seconds: f64) {
        self.received.with_label_values(&[source, if duplicate { "duplicate" } else { "new" }]).inc();
        self.ingest_seconds.observe(seconds);
    }

    /// `source` must be a configured name, never one from outside: labels are bounded.
    pub fn refused(&self, source: &str, reason: &'static str, at: flowgauge_lake::model::Time) {
        self.refused.with_label_values(&[source, reason]).inc();
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let count = refusals.get(source).map_or(0, |refusal| refusal.count) + 1;
        refusals.insert(source.to_owned(), Refusal { reason, at, count });
    }

    pub fn request(&self, route: &str, status: u16) {
        let class = match status / 100 {
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        self.requests.with_label_values(&[route, class]).inc();
    }

    pub fn refusals(&self) -> BTreeMap<String, Refusal> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}
