//! `has_concluded(outcome)`: ended well or badly, so that it counts in a success rate. What was cancelled or skipped says neither
//! (semantics, 7.40 and 1.9).

use flowgauge_lake::model::Outcome;

pub fn has_concluded(outcome: &str) -> bool {
    Outcome::parse(outcome).is_some_and(|outcome| outcome == Outcome::Success || outcome.is_bad())
}

#[cfg(test)]
mod tests {
    #[test]
    fn cancelled_and_skipped_say_nothing() {
        let concluded: Vec<&str> =
            flowgauge_lake::model::Outcome::ALL.iter().copied().filter(|outcome| super::has_concluded(outcome)).collect();
        assert_eq!(concluded, ["success", "failure", "error", "timeout"]);
    }
}
