//! Numbers and times as people read them. The exact value always stands beside the rounded one.

use chrono_tz::Tz;
use flowgauge_lake::model::Time;

/// The two largest units that matter: `1 d 2 h`, `45 min`, `12 s`.
pub fn duration(seconds: f64) -> String {
    let size = seconds.abs();
    let sign = if seconds < 0.0 { "−" } else { "" };
    // Rounded to the smaller of the two units first, so that 23 h 59.9 min is 1 d.
    let (unit, step) = match size {
        s if s >= 86_370.0 => (86_400, 3600),
        s if s >= 3599.5 => (3600, 60),
        s if s >= 59.5 => (60, 1),
        s if s >= 10.0 || s == 0.0 => return format!("{sign}{s:.0} s"),
        s => return format!("{sign}{s:.1} s"),
    };
    let rounded = (size / f64::from(step)).round() as i64 * i64::from(step);
    let (name, smaller) = match unit {
        86_400 => ("d", "h"),
        3600 => ("h", "min"),
        _ => ("min", "s"),
    };
    let (whole, rest) = (rounded / unit, rounded % unit / i64::from(step));
    if rest == 0 || whole >= 100 { format!("{sign}{} {name}", grouped(whole)) } else { format!("{sign}{whole} {name} {rest} {smaller}") }
}

/// A share in percent. What is not quite nothing or everything never rounds to it.
pub fn ratio(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.05 {
        return "< 0.1 %".to_owned();
    }
    if (99.95..100.0).contains(&percent) {
        return "> 99.9 %".to_owned();
    }
    format!("{} %", trimmed(percent))
}

/// A rate in the unit in which it is at least one: a day, a week, a month.
pub fn rate(per_day: f64) -> String {
    let (factor, unit) = rate_unit(per_day);
    format!("{}/{unit}", trimmed(per_day * factor))
}

/// What a rate is multiplied with, and the unit it is then in.
pub fn rate_unit(per_day: f64) -> (f64, &'static str) {
    if per_day >= 1.0 || per_day == 0.0 {
        (1.0, "day")
    } else if per_day * 7.0 >= 1.0 {
        (7.0, "week")
    } else {
        (365.25 / 12.0, "month")
    }
}

/// One decimal place, none where it is zero or says nothing.
fn trimmed(number: f64) -> String {
    let text = if number.abs() >= 100.0 { format!("{number:.0}") } else { format!("{number:.1}") };
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A metric's value in its unit.
pub fn value(unit: &str, value: f64) -> String {
    match unit {
        "s" => duration(value),
        "1" => ratio(value),
        "1/d" => rate(value),
        _ => trimmed(value),
    }
}

/// The value as it was computed.
pub fn exact(unit: &str, value: f64) -> String {
    match unit {
        "s" => format!("{value} s"),
        "1/d" => format!("{value} per day"),
        _ => value.to_string(),
    }
}

/// `1,234,567`.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { "−".to_owned() } else { String::new() };
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and what is counted: `1 commit`, `12 commits`.
pub fn counted(number: i64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A word with a fixed meaning as people write it: `no_op` is `no op`.
pub fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// The first characters of a commit or digest.
pub fn short_sha(sha: &str) -> String {
    sha.rsplit(':').next().unwrap_or(sha).chars().take(8).collect()
}

/// A moment: for machines in UTC, for people in their zone.
#[derive(Clone, Debug)]
pub struct Moment {
    pub iso: String,
    pub text: String,
}

impl Moment {
    pub fn new(at: Time, tz: Tz) -> Self {
        Moment { iso: at.to_string(), text: at.to_datetime().with_timezone(&tz).format("%-d %b %Y, %H:%M %Z").to_string() }
    }

    /// How long ago it was, for what is looked at now.
    pub fn ago(at: Time, now: Time) -> Self {
        let seconds = now.seconds_since(at);
        let text = match seconds {
            s if s < 60.0 => "just now".to_owned(),
            s if s < 3600.0 => format!("{:.0} min ago", (s / 60.0).floor()),
            s if s < 2.0 * 86_400.0 => format!("{:.0} h ago", (s / 3600.0).floor()),
            s => format!("{} ago", counted((s / 86_400.0).floor() as i64, "day", "days")),
        };
        Moment { iso: at.to_string(), text }
    }
}

/// A day, without the time: `3 Mar 2026`.
pub fn day(at: Time, tz: Tz) -> String {
    at.to_datetime().with_timezone(&tz).format("%-d %b %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (seconds, text) in [
            (93_600.0, "1 d 2 h"),
            (86_400.0, "1 d"),
            (86_399.0, "1 d"),
            (3599.6, "1 h"),
            (5430.0, "1 h 31 min"),
            (59.7, "1 min"),
            (75.0, "1 min 15 s"),
            (12.0, "12 s"),
            (0.4, "0.4 s"),
            (0.0, "0 s"),
            (-7200.0, "−2 h"),
            (130.0 * 86_400.0 + 7200.0, "130 d"),
        ] {
            assert_eq!(duration(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn shares_never_round_to_nothing_or_all() {
        for (share, text) in [(0.125, "12.5 %"), (0.0, "0 %"), (1.0, "100 %"), (0.0001, "< 0.1 %"), (0.99999, "> 99.9 %"), (0.5, "50 %")] {
            assert_eq!(ratio(share), text, "{share}");
        }
    }

    #[test]
    fn rates_choose_their_unit() {
        for (per_day, text) in
            [(2.1, "2.1/day"), (3.4 / 7.0, "3.4/week"), (0.0, "0/day"), (0.1, "3/month"), (1.0, "1/day"), (250.4, "250/day")]
        {
            assert_eq!(rate(per_day), text, "{per_day}");
        }
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(-1000), "−1,000");
        assert_eq!(counted(1, "commit", "commits"), "1 commit");
    }

    #[test]
    fn moments_in_a_zone() {
        let at = Time::parse("2026-03-01T23:30:00Z").expect("a time");
        let berlin: Tz = "Europe/Berlin".parse().expect("a zone");
        assert_eq!(Moment::new(at, berlin).text, "2 Mar 2026, 00:30 CET");
        assert_eq!(Moment::new(at, berlin).iso, "2026-03-01T23:30:00Z");
        assert_eq!(Moment::ago(at, at.plus_seconds(3 * 86_400)).text, "3 days ago");
    }
}
