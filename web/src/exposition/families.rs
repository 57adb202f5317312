//! Families of series while they are put together.

use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use std::collections::HashMap;

/// In order of arrival: what comes first is kept where there are too many.
#[derive(Default)]
pub struct Families {
    all: Vec<MetricFamily>,
    places: HashMap<String, usize>,
}

/// Labels of a series, names in the order in which they are written.
pub type Labels<'a> = [(&'a str, &'a str)];

fn metric(labels: &Labels<'_>) -> Metric {
    let pair = |(name, value): &(&str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    Metric::from_label(labels.iter().map(pair).collect())
}

impl Families {
    fn push(&mut self, name: &str, help: &str, kind: MetricType, metric: Metric) {
        let place = *self.places.entry(name.to_owned()).or_insert_with(|| {
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(kind);
            self.all.push(family);
            self.all.len() - 1
        });
        self.all[place].mut_metric().push(metric);
    }

    pub fn gauge(&mut self, name: &str, help: &str, labels: &Labels<'_>, value: f64) {
        let (mut series, mut gauge) = (metric(labels), Gauge::default());
        gauge.set_value(value);
        series.set_gauge(gauge);
        self.push(name, help, MetricType::GAUGE, series);
    }

    pub fn counter(&mut self, name: &str, help: &str, labels: &Labels<'_>, value: f64) {
        let (mut series, mut counter) = (metric(labels), Counter::default());
        counter.set_value(value);
        series.set_counter(counter);
        self.push(name, help, MetricType::COUNTER, series);
    }

    /// `values` in any order.
    pub fn histogram(&mut self, name: &str, help: &str, labels: &Labels<'_>, bounds: &[f64], values: &[f64]) {
        let bucket = |bound: &f64| {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(values.iter().filter(|value| *value <= bound).count() as u64);
            bucket
        };
        let (mut series, mut histogram) = (metric(labels), Histogram::default());
        histogram.set_bucket(bounds.iter().map(bucket).collect());
        histogram.set_sample_count(values.len() as u64);
        histogram.set_sample_sum(values.iter().sum());
        series.set_histogram(histogram);
        self.push(name, help, MetricType::HISTOGRAM, series);
    }

    pub fn all(self) -> Vec<MetricFamily> {
        self.all
    }

    /// At most `limit` series, and how many were left out.
    pub fn limited(self, limit: usize) -> (Vec<MetricFamily>, usize) {
        let (mut kept, mut room, mut dropped) = (Vec::new(), limit, 0);
        for mut family in self.all {
            let mut metrics = Vec::new();
            for metric in family.take_metric() {
                // Besides its buckets a histogram has the one without bound, a sum and a count.
                let size = if family.get_field_type() == MetricType::HISTOGRAM { metric.get_histogram().get_bucket().len() + 3 } else { 1 };
                if size <= room {
                    room -= size;
                    metrics.push(metric);
                } else {
                    room = 0;
                    dropped += size;
                }
            }
            if !metrics.is_empty() {
                family.set_metric(metrics);
                kept.push(family);
            }
        }
        (kept, dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_counted() {
        let mut families = Families::default();
        for i in 0..5 {
            families.gauge("a_seconds", "a", &[("n", &i.to_string())], 1.0);
        }
        families.histogram("b_seconds", "b", &[], &[1.0, 2.0], &[0.5, 1.0, 3.0]);
        families.gauge("c_seconds", "c", &[], 1.0);
        let (kept, dropped) = families.limited(7);
        assert_eq!((kept.len(), kept[0].get_metric().len(), dropped), (1, 5, 6));
    }
}
