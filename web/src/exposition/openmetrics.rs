//! OpenMetrics 1.0.0 text of the same families that the 0.0.4 text is written from.

use prometheus::proto::{LabelPair, MetricFamily, MetricType};
use std::fmt::Write;

/// The last line of every page.
pub const END: &str = "# EOF\n";

pub fn text(families: &[MetricFamily]) -> String {
    let mut text = String::new();
    families.iter().for_each(|family| write_family(&mut text, family));
    text
}

fn write_family(text: &mut String, family: &MetricFamily) {
    let kind = family.get_field_type();
    // A counter's family has no suffix, its samples have.
    let name = if kind == MetricType::COUNTER { family.name().strip_suffix("_total").unwrap_or(family.name()) } else { family.name() };
    let word = match kind {
        MetricType::COUNTER => "counter",
        MetricType::HISTOGRAM => "histogram",
        MetricType::GAUGE => "gauge",
        _ => return,
    };
    line(text, format_args!("# HELP {name} {}", escaped(family.help())));
    line(text, format_args!("# TYPE {name} {word}"));
    for metric in family.get_metric() {
        let labels = |extra: Option<&str>| labels(metric.get_label(), extra);
        match kind {
            MetricType::COUNTER => line(text, format_args!("{name}_total{} {}", labels(None), metric.get_counter().get_value())),
            MetricType::HISTOGRAM => {
                let histogram = metric.get_histogram();
                let count = histogram.get_sample_count();
                for bucket in histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite()) {
                    // `{:?}` writes whole numbers as `900.0`, as the form wants its bounds.
                    let bound = format!("le=\"{:?}\"", bucket.upper_bound());
                    line(text, format_args!("{name}_bucket{} {}", labels(Some(&bound)), bucket.cumulative_count()));
                }
                line(text, format_args!("{name}_bucket{} {count}", labels(Some("le=\"+Inf\""))));
                line(text, format_args!("{name}_sum{} {}", labels(None), histogram.get_sample_sum()));
                line(text, format_args!("{name}_count{} {count}", labels(None)));
            }
            _ => line(text, format_args!("{name}{} {}", labels(None), metric.get_gauge().get_value())),
        }
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

fn labels(pairs: &[LabelPair], extra: Option<&str>) -> String {
    let mut all: Vec<String> = pairs.iter().map(|pair| format!("{}=\"{}\"", pair.name(), escaped(pair.value()))).collect();
    all.extend(extra.map(str::to_owned));
    if all.is_empty() { String::new() } else { format!("{{{}}}", all.join(",")) }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::families::Families;
    use super::*;

    #[test]
    fn the_form() {
        let mut families = Families::default();
        families.counter("a_total", "How \"many\".", &[("x", "a\\b\"c\nd")], 3.0);
        families.histogram("b_seconds", "b", &[("x", "y")], &[900.0, 3600.0], &[1.5, 1000.0]);
        families.gauge("c", "c", &[], 0.25);
        let expected = "\
# HELP a How \\\"many\\\".
# TYPE a counter
a_total{x=\"a\\\\b\\\"c\\nd\"} 3
# HELP b_seconds b
# TYPE b_seconds histogram
b_seconds_bucket{x=\"y\",le=\"900.0\"} 1
b_seconds_bucket{x=\"y\",le=\"3600.0\"} 2
b_seconds_bucket{x=\"y\",le=\"+Inf\"} 2
b_seconds_sum{x=\"y\"} 1001.5
b_seconds_count{x=\"y\"} 2
# HELP c c
# TYPE c gauge
c 0.25
";
        assert_eq!(text(&families.all()), expected);
    }
}
