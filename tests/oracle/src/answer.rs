//! The answer of a question: the `series` of DESIGN section 7.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::facts::Facts;
use crate::items::{self, Home, Item, Shape, What};
use crate::question::Question;
use crate::row::Row;
use crate::score;
use crate::state;
use crate::stats::{self, Subject};
use crate::time::{Cut, Time, buckets, seconds, show};
use crate::world::World;

/// Rule 4: below this many a value is `insufficient`.
const MIN_N: usize = 5;

/// What one series is made of.
struct Series<'a> {
    items: Vec<&'a Item>,
    /// Of a metric about a moment: what holds at that of each bucket.
    states: Option<Vec<Vec<&'a Item>>>,
    /// Rule 3: the earliest time of a row with these labels; none where no row has one.
    connected: Option<Time>,
    /// There is a row with these labels.
    configured: bool,
    has_incident_rows: bool,
    shape: Shape,
    is_failure_metric: bool,
}

pub fn answer(world: &World, q: &Question) -> Value {
    if q.metric == "dora_score" {
        return score::answer(world, q);
    }
    let folded = world.folded();
    let facts: &Facts = &world.facts(q.as_of);
    let shape = items::shape(&q.metric);
    let passes = |home: &Home| items::passes(home, q);
    let base: Vec<(Home, Option<Time>)> = items::base(folded, facts, q).into_iter().filter(|(home, _)| passes(home)).collect();
    let filtered = |mut items: Vec<Item>| {
        items.iter_mut().for_each(|item| item.homes.retain(passes));
        items
    };
    let cuts = buckets(q);
    let at_moment = |cut: &Cut| if cut.is_future() { Vec::new() } else { filtered(state::items(folded, q, state::moment(q, cut))) };
    let is_state = state::is_state(&q.metric);
    let items = if is_state { Vec::new() } else { filtered(items::items(folded, facts, q)) };
    let states: Option<Vec<Vec<Item>>> = is_state.then(|| cuts.iter().map(at_moment).collect());

    let mut dimensions = q.by.clone();
    dimensions.sort();
    dimensions.dedup();
    let mut all: BTreeSet<Vec<String>> = BTreeSet::new();
    if dimensions.is_empty() {
        all.insert(Vec::new()); // rule 6: exactly one series
    }
    for (home, _) in &base {
        // Rule 6: deployment metrics by environment: production tier only; an explicit filter takes its place.
        if items::is_production_metric(&q.metric) && dimensions.iter().any(|d| d == "environment") && !items::in_scope(home, q) {
            continue;
        }
        let labels: Option<Vec<String>> = dimensions.iter().map(|d| home.get(d.as_str()).cloned()).collect();
        all.extend(labels.filter(|l| !l.is_empty()));
    }

    let series = all.into_iter().map(|values| {
        let labels: Vec<(&String, &String)> = dimensions.iter().zip(&values).collect();
        let has = |home: &Home| labels.iter().all(|(d, v)| home.get(d.as_str()) == Some(v));
        let rows: Vec<&(Home, Option<Time>)> = base.iter().filter(|(home, _)| has(home)).collect();
        let series = Series {
            items: fitting(&items, &has),
            states: states.as_ref().map(|all| all.iter().map(|items| fitting(items, &has)).collect()),
            connected: rows.iter().filter_map(|r| r.1).min(),
            configured: !rows.is_empty(),
            has_incident_rows: facts.has_incident_rows,
            shape,
            is_failure_metric: ["change_fail_rate", "recovery_time"].contains(&q.metric.as_str()),
        };
        let labels: Map<String, Value> = labels.into_iter().map(|(d, v)| (d.clone(), json!(v))).collect();
        json!({"labels": labels, "points": cuts.iter().enumerate().map(|(n, cut)| series.point(n, cut)).collect::<Vec<_>>()})
    });
    Value::Array(series.collect())
}

/// What counts under some labels.
fn fitting<'a>(items: &'a [Item], has: &dyn Fn(&Home) -> bool) -> Vec<&'a Item> {
    items.iter().filter(|i| i.homes.iter().any(has)).collect()
}

/// A value with what stands beside it.
#[derive(Default)]
struct Measured {
    value: Option<f64>,
    n: usize,
    fraction: Option<(f64, f64)>,
    quantiles: Row,
    ci: Value,
}

impl Series<'_> {
    /// The point of the n-th bucket.
    fn point(&self, n: usize, cut: &Cut) -> Value {
        let inside: Vec<&Item> = match &self.states {
            Some(states) => states[n].clone(),
            None => self.items.iter().copied().filter(|i| cut.has(i.at)).collect(),
        };
        let measured = self.measure(cut, &inside);
        let mut excluded: BTreeMap<&str, u64> = BTreeMap::new();
        for item in &inside {
            if let What::Excluded(reason) = item.what {
                *excluded.entry(reason).or_default() += 1;
            }
        }
        json!({
            "start": show(cut.start),
            "end": show(cut.end),
            "partial": cut.partial,
            "value": measured.value,
            "n": measured.n,
            "numerator": measured.fraction.map(|f| f.0),
            "denominator": measured.fraction.map(|f| f.1),
            "quantiles": measured.quantiles,
            "ci": measured.ci,
            "status": self.status(cut, &measured),
            "coverage": self.coverage(&inside, &measured),
            "excluded": excluded,
        })
    }

    /// Rules 3 and 4.
    fn status(&self, cut: &Cut, measured: &Measured) -> &'static str {
        // What is no sample is never too small a one.
        let over_time = matches!(
            self.shape,
            Shape::PerDay
                | Shape::PerAppDay
                | Shape::TimeShare
                | Shape::TimeSum
                | Shape::Sum
                | Shape::Services
                | Shape::CountOf
                | Shape::Total
        );
        match measured.value {
            _ if cut.is_future() => "empty", // rule 1
            _ if !self.configured => "not_configured",
            Some(_) if over_time || measured.n >= MIN_N => "ok",
            Some(_) => "insufficient",
            None if measured.n > 0 && !over_time => "insufficient",
            None => "empty",
        }
    }

    /// Rule 54.
    fn coverage(&self, inside: &[&Item], measured: &Measured) -> Option<f64> {
        const MISSING: [&str; 12] = [
            "no_graph",
            "no_source_link",
            "no_commit_time",
            "no_files",
            "clock_skew",
            "no_start",
            "no_queue_time",
            "no_size",
            "no_commit",
            "no_scan",
            "no_sha",
            "no_jobs",
        ];
        let count = |what: &dyn Fn(&What) -> bool| inside.iter().filter(|i| what(&i.what)).count() as f64;
        if self.is_failure_metric {
            let attributed = count(&|w| matches!(w, What::Attributed));
            let unattributed = count(&|w| matches!(w, What::Excluded("unattributed")));
            return Some(match (self.has_incident_rows, attributed + unattributed) {
                (false, _) => 0.0,
                (true, 0.0) => 1.0,
                (true, all) => attributed / all,
            });
        }
        let missing = count(&|w| matches!(w, What::Excluded(r) if MISSING.contains(r)));
        let counted = measured.n as f64;
        if counted + missing == 0.0 { None } else { Some(counted / (counted + missing)) }
    }

    fn measure(&self, cut: &Cut, inside: &[&Item]) -> Measured {
        if cut.is_future() {
            return Measured::default(); // rule 1
        }
        match self.shape {
            Shape::PerDay => self.per_day(cut, inside),
            Shape::Ratio => ratio(inside),
            Shape::Quantiles(names) => quantiles(inside, names),
            Shape::Survival => survival(inside),
            Shape::TimeShare => self.time_share(cut),
            Shape::PerAppDay => self.per_app_day(cut, inside),
            Shape::TimeSum => self.time_sum(cut),
            Shape::Sum => sum(inside),
            Shape::Services => services(inside),
            Shape::CountOf => amount(inside, |what| if let What::Outcome(yes) = what { Some(f64::from(u8::from(*yes))) } else { None }),
            Shape::Total => amount(inside, |what| if let What::Value { seconds, .. } = what { Some(*seconds) } else { None }),
        }
    }

    /// Section 1.1 and rules 3, 5 and 10: events per real elapsed day.
    fn per_day(&self, cut: &Cut, inside: &[&Item]) -> Measured {
        let n = events(inside);
        let days = seconds(cut.from, cut.to) / 86400.0;
        if n == 0 && self.connected.is_none_or(|t| t > cut.from) {
            return Measured::default();
        }
        let (lo, hi) = stats::garwood(n);
        Measured {
            value: Some(n as f64 / days),
            n,
            fraction: Some((n as f64, days)),
            ci: interval(Some(lo / days), Some(hi / days), "garwood"),
            ..Measured::default()
        }
    }

    /// The observed seconds in the bucket, those of live drift among them, and the applications observed.
    fn observed(&self, cut: &Cut) -> (f64, f64, usize) {
        let (mut live_seconds, mut all_seconds) = (0.0, 0.0);
        let mut apps = BTreeSet::new();
        for item in &self.items {
            if let What::Observed { to, live, app } = &item.what {
                let (from, to) = (item.at.max(cut.from), (*to).min(cut.to));
                if from < to {
                    apps.insert(app);
                    all_seconds += seconds(from, to);
                    live_seconds += if *live { seconds(from, to) } else { 0.0 };
                }
            }
        }
        (live_seconds, all_seconds, apps.len())
    }

    /// drift_ratio (section 1.8, rule 5).
    fn time_share(&self, cut: &Cut) -> Measured {
        let (live, all, n) = self.observed(cut);
        if all == 0.0 {
            return Measured::default();
        }
        Measured { value: Some(live / all), n, fraction: Some((live, all)), ..Measured::default() }
    }

    /// blocked_time (rule 65): the seconds in the state, of the applications observed.
    fn time_sum(&self, cut: &Cut) -> Measured {
        let (blocked, _, n) = self.observed(cut);
        Measured { value: (n > 0).then_some(blocked), n, ..Measured::default() }
    }

    /// drift_episodes (rule 49): starts by observed app-days.
    fn per_app_day(&self, cut: &Cut, inside: &[&Item]) -> Measured {
        let n = events(inside);
        let days = self.observed(cut).1 / 86400.0;
        if days == 0.0 {
            return Measured { n, ..Measured::default() };
        }
        Measured { value: Some(n as f64 / days), n, fraction: Some((n as f64, days)), ..Measured::default() }
    }
}

fn events(inside: &[&Item]) -> usize {
    inside.iter().filter(|i| matches!(i.what, What::Event)).count()
}

fn ratio(inside: &[&Item]) -> Measured {
    let outcomes: Vec<bool> = inside.iter().filter_map(|i| if let What::Outcome(yes) = i.what { Some(yes) } else { None }).collect();
    let (x, n) = (outcomes.iter().filter(|yes| **yes).count(), outcomes.len());
    if n == 0 {
        return Measured::default();
    }
    let (lo, hi) = stats::wilson(x, n);
    Measured {
        value: Some(x as f64 / n as f64),
        n,
        fraction: Some((x as f64, n as f64)),
        ci: interval(Some(lo), Some(hi), "wilson"),
        ..Measured::default()
    }
}

/// The sum of the amounts; none of none.
fn sum(inside: &[&Item]) -> Measured {
    let amounts: Vec<f64> = inside.iter().filter_map(|i| if let What::Amount(a) = i.what { Some(a) } else { None }).collect();
    let n = amounts.len();
    Measured { value: (n > 0).then(|| amounts.iter().sum()), n, ..Measured::default() }
}

/// version_skew: the services of which some pair differs, of those with a pair.
fn services(inside: &[&Item]) -> Measured {
    let (mut all, mut skewed_ones) = (BTreeSet::new(), BTreeSet::new());
    for item in inside {
        if let What::Skew { service, skewed } = &item.what {
            all.insert(service);
            skewed_ones.extend(skewed.then_some(service));
        }
    }
    let n = all.len();
    Measured { value: (n > 0).then_some(skewed_ones.len() as f64), n, ..Measured::default() }
}

/// A count or a sum, which has neither a fraction nor an interval.
fn amount(inside: &[&Item], of: impl Fn(&What) -> Option<f64>) -> Measured {
    let amounts: Vec<f64> = inside.iter().filter_map(|i| of(&i.what)).collect();
    let value = (!amounts.is_empty()).then(|| amounts.iter().sum());
    Measured { value, n: amounts.len(), ..Measured::default() }
}

/// Rule 9: every quantile whenever n >= 1; the value is p50.
fn quantiles(inside: &[&Item], names: &[(&str, f64)]) -> Measured {
    let mut values = Vec::new();
    let mut clusters: BTreeSet<usize> = BTreeSet::new();
    for item in inside {
        if let What::Value { seconds, cluster } = item.what {
            values.push(seconds);
            clusters.insert(cluster);
        }
    }
    if values.is_empty() {
        return Measured::default();
    }
    values.sort_by(f64::total_cmp);
    // Rule 8: order statistics only if every cluster has one value, else the bootstrap, whose bounds nobody can say exactly.
    let ci = if clusters.len() == values.len() {
        let ranks = stats::median_ranks(values.len());
        ranks.map_or(Value::Null, |(r, s)| interval(Some(values[r - 1]), Some(values[s - 1]), "order_statistic"))
    } else if clusters.len() >= 2 && values.len() <= DRAWN {
        let clusters = clusters.iter().map(|wanted| of_cluster(inside, *wanted)).collect::<Vec<_>>();
        let [lo, hi] = stats::cluster_bootstrap(&clusters);
        json!({"lo": {"between": lo}, "hi": {"between": hi}, "method": "cluster_bootstrap"})
    } else {
        Value::Null
    };
    let quantiles = names.iter().map(|(name, p)| ((*name).to_owned(), json!(stats::quantile(&values, *p)))).collect();
    Measured { value: Some(stats::quantile(&values, 0.5)), n: values.len(), quantiles, ci, ..Measured::default() }
}

/// Values up to which the oracle draws: its way of doing so is slow.
const DRAWN: usize = 500;

fn of_cluster(inside: &[&Item], wanted: usize) -> Vec<f64> {
    let value = |item: &&Item| match item.what {
        What::Value { seconds, cluster } if cluster == wanted => Some(seconds),
        _ => None,
    };
    inside.iter().filter_map(value).collect()
}

/// Rule 65: the Kaplan-Meier median and no quantile.
fn survival(inside: &[&Item]) -> Measured {
    let subjects: Vec<Subject> = inside.iter().filter_map(|i| if let What::Subject(s) = i.what { Some(s) } else { None }).collect();
    if subjects.is_empty() {
        return Measured::default();
    }
    let found = stats::kaplan_meier(&subjects);
    Measured { value: found.median, n: subjects.len(), ci: interval(found.lo, found.hi, "kaplan_meier"), ..Measured::default() }
}

fn interval(lo: Option<f64>, hi: Option<f64>, method: &str) -> Value {
    json!({"lo": lo, "hi": hi, "method": method})
}
