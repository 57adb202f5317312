//! What comes in from where, told at the moment of the scrape: it is in memory.

use super::families::Families;
use super::seconds;
use crate::app::App;
use flowgauge_lake::model::Time;
use prometheus::proto::MetricFamily;
use std::collections::BTreeMap;

pub fn families(app: &App) -> Vec<MetricFamily> {
    let mut families = Families::default();
    let revision = option_env!("FLOWGAUGE_REVISION").unwrap_or("unknown");
    let labels = [("version", env!("CARGO_PKG_VERSION")), ("revision", revision)];
    families.gauge("dora_build_info", "The version that runs; always 1.", &labels, 1.0);
    let mut last: BTreeMap<(String, String), Option<Time>> = BTreeMap::new();
    for seen in app.lake().source_stats(&app.tenant()) {
        let at = last.entry((seen.source.to_string(), seen.kind)).or_default();
        *at = (*at).max(Some(seen.last_received_at));
    }
    let (config, refusals) = (app.config(), app.counters().refusals());
    for name in refusals.keys() {
        if let Some(source) = config.source(name) {
            last.entry((name.clone(), source.kind.to_owned())).or_default();
        }
    }
    for ((collector, kind), at) in last {
        let labels = [("collector", collector.as_str()), ("kind", kind.as_str())];
        if let Some(at) = at {
            families.gauge("dora_last_event_timestamp_seconds", "When the last event of the source was received.", &labels, seconds(at));
        }
        let is_up = refusals.get(&collector).is_none_or(|refusal| at.is_some_and(|at| at >= refusal.at));
        let help = "Whether the last delivery of the source was taken: 1 taken, 0 refused (a wrong secret, most likely).";
        families.gauge("dora_collector_up", help, &labels, f64::from(u8::from(is_up)));
    }
    families.all()
}
