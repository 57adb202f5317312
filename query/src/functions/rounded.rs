//! `rounded(seconds, rule)`: a duration as a definition's rule cuts it, before anything is counted (semantics, 2.2); and
//! `leg_seconds(from, to, rule)`: a part of a sum, nothing where an end is unknown or the ends are the wrong way round.

pub fn rounded(seconds: f64, rule: &str) -> f64 {
    match rule {
        "ceil_min" => (seconds / 60.0).ceil() * 60.0,
        "trunc_min" => (seconds / 60.0).trunc() * 60.0,
        "trunc_hour" => (seconds / 3600.0).trunc() * 3600.0,
        "trunc_s" => seconds.trunc(),
        _ => seconds,
    }
}

pub fn leg_seconds(seconds: Option<f64>, rule: &str) -> f64 {
    seconds.filter(|seconds| *seconds >= 0.0).map_or(0.0, |seconds| rounded(seconds, rule))
}

#[cfg(test)]
mod tests {
    use super::{leg_seconds, rounded};

    #[test]
    fn up_down_and_not_at_all() {
        for (rule, seconds) in
            [("none", 5_401.5), ("ceil_min", 5_460.0), ("trunc_min", 5_400.0), ("trunc_hour", 3_600.0), ("trunc_s", 5_401.0)]
        {
            assert_eq!(rounded(5_401.5, rule), seconds, "{rule}");
        }
        assert_eq!(rounded(60.0, "ceil_min"), 60.0);
        assert_eq!(rounded(-30.0, "trunc_min"), 0.0);
    }

    #[test]
    fn a_leg_is_never_negative() {
        assert_eq!(leg_seconds(Some(61.0), "ceil_min"), 120.0);
        assert_eq!(leg_seconds(Some(-1.0), "ceil_min"), 0.0);
        assert_eq!(leg_seconds(None, "none"), 0.0);
    }
}
