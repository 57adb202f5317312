//! What is counted since the beginning, and what is so at this moment: deployments, lead times, drift.

use super::families::Families;
use crate::app::App;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type};
use flowgauge_lake::model::facts::FactTable;
use flowgauge_lake::model::{Outcome, SyncStatus, Tier, Time};
use flowgauge_query::facts::Facts;
use flowgauge_query::facts::drift::drift;
use std::collections::{BTreeMap, HashMap};

const LEAD_TIME_BOUNDS: [f64; 9] = [900.0, 3600.0, 14_400.0, 86_400.0, 172_800.0, 604_800.0, 1_209_600.0, 2_592_000.0, 7_776_000.0];

/// What each counter has reached. Late news can make a count smaller (two tellings turn out to be one deployment), and Prometheus
/// would take that for a restart and count everything again.
#[derive(Default)]
pub struct HighWater(HashMap<String, f64>);

impl HighWater {
    fn reach(&mut self, name: &str, labels: &[&str], value: f64) -> f64 {
        let key = std::iter::once(name).chain(labels.iter().copied()).collect::<Vec<_>>().join("\0");
        let reached = self.0.entry(key).or_insert(value);
        *reached = reached.max(value);
        *reached
    }
}

pub fn add(app: &App, facts: &Facts, now: Time, high_water: &mut HighWater, families: &mut Families) {
    let table = |table: FactTable| app.engine().fact_batch(&app.tenant(), table);
    deployments(&table(FactTable::Deployments), high_water, families);
    lead_times(&table(FactTable::Changes), families);
    applications(facts, now, high_water, families);
}

/// A text column; null reads as empty, which for Prometheus is no label.
fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Vec<&'a str> {
    match batch.column_by_name(name).filter(|column| *column.data_type() == DataType::Utf8) {
        Some(column) => column.as_string::<i32>().iter().map(Option::unwrap_or_default).collect(),
        None => vec![""; batch.num_rows()],
    }
}

fn deployments(batch: &RecordBatch, high_water: &mut HighWater, families: &mut Families) {
    let [service, team, environment, outcome] = ["service", "team", "environment", "outcome"].map(|name| texts(batch, name));
    let finished = batch.column_by_name("finished_at");
    let mut counts: BTreeMap<[&str; 4], u64> = BTreeMap::new();
    for row in 0..batch.num_rows() {
        let is_ended = Outcome::parse(outcome[row]).is_some_and(Outcome::is_ended) && finished.is_some_and(|at| at.is_valid(row));
        if is_ended {
            *counts.entry([service[row], team[row], environment[row], outcome[row]]).or_default() += 1;
        }
    }
    let help = "Deployments that ended, of every kind and environment, since the beginning. Back-filled history makes a jump: for objectives use the series with a window.";
    for (labels, count) in counts {
        let value = high_water.reach("deployments", &labels, count as f64);
        let [service, team, environment, outcome] = labels;
        let labels = [("service", service), ("team", team), ("environment", environment), ("outcome", outcome)];
        families.counter("dora_deployments_total", help, &labels, value);
    }
}

fn lead_times(batch: &RecordBatch, families: &mut Families) {
    let [grain, tier, service, environment] = ["grain", "tier", "service", "environment"].map(|name| texts(batch, name));
    let Some(lead) = batch.column_by_name("lead_seconds").filter(|column| *column.data_type() == DataType::Float64) else { return };
    let lead = lead.as_primitive::<Float64Type>();
    let mut values: BTreeMap<[&str; 2], Vec<f64>> = BTreeMap::new();
    for row in 0..batch.num_rows() {
        // The tier that the metric counts, so that a sum over environments means something.
        if lead.is_valid(row) && grain[row] == "environment" && tier[row] == Tier::Production.as_str() {
            values.entry([service[row], environment[row]]).or_default().push(lead.value(row));
        }
    }
    let help = "Time from a commit to the end of the first deployment that brought it to the production environment, for every commit since the beginning. Back-filled history makes a jump.";
    for ([service, environment], values) in values {
        let labels = [("service", service), ("environment", environment)];
        families.histogram("dora_lead_time_seconds", help, &labels, &LEAD_TIME_BOUNDS, &values);
    }
}

fn applications(facts: &Facts, now: Time, high_water: &mut HighWater, families: &mut Families) {
    // Controllers may share the name of an application: what one of them sees is what is so.
    let mut seen: BTreeMap<[&str; 2], (Option<bool>, f64)> = BTreeMap::new();
    for app in facts.apps.values() {
        let entry = seen.entry([app.app.as_str(), app.environment.as_deref().unwrap_or_default()]).or_insert((None, 0.0));
        let last = app.observations.iter().rev().find(|seen| seen.observed_at <= now);
        let out_of_sync = match last.and_then(|seen| seen.sync_status) {
            Some(SyncStatus::OutOfSync) => Some(true),
            Some(SyncStatus::Synced) => Some(false),
            _ => None,
        };
        entry.0 = entry.0.max(out_of_sync);
        let drifted = drift(&app.observations, Some(now));
        let live = drifted.stretches.iter().filter(|stretch| stretch.class.is_live());
        entry.1 += live.map(|stretch| stretch.to.unwrap_or(now).seconds_since(stretch.from)).sum::<f64>();
    }
    for (labels, (out_of_sync, drifted)) in seen {
        let pairs = [("application", labels[0]), ("environment", labels[1])];
        if let Some(out_of_sync) = out_of_sync {
            let help = "Whether the application differs from the revision wanted, as last seen: 1 out of sync, 0 in sync.";
            families.gauge("dora_gitops_out_of_sync", help, &pairs, f64::from(u8::from(out_of_sync)));
        }
        let help = "Time in which the cluster differed from the revision it had been synced to, since the beginning.";
        families.counter("dora_drift_seconds_total", help, &pairs, high_water.reach("drift", &labels, drifted));
    }
}
