//! dora_score: the Quick Check score of section 3, of the five (rule 64).

use serde_json::{Map, Value, json};

use crate::answer::answer as measure;
use crate::question::Question;
use crate::world::World;

const FIVE: [&str; 5] = ["lead_time", "deployment_frequency", "recovery_time", "change_fail_rate", "rework_rate"];

/// The five have one base table, so their answers have the same series and the same buckets.
pub fn answer(world: &World, q: &Question) -> Value {
    let five: Vec<Value> = FIVE.iter().map(|id| measure(world, &Question { metric: (*id).to_owned(), ..q.clone() })).collect();
    let rows = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let series = rows(&five[0]).into_iter().enumerate().map(|(s, first)| {
        let points = rows(&first["points"]);
        let points = (0..points.len()).map(|p| point(&FIVE.map(|id| &five[place(id)][s]["points"][p])));
        json!({"labels": first["labels"], "points": points.collect::<Vec<_>>()})
    });
    Value::Array(series.collect())
}

fn place(id: &str) -> usize {
    FIVE.iter().position(|f| *f == id).expect("one of the five")
}

fn point(five: &[&Value; 5]) -> Value {
    let scores: Option<Vec<f64>> = FIVE.iter().zip(five).map(|(id, p)| Some(score(id, p["value"].as_f64()?))).collect();
    let value = scores.map(|s| s.iter().sum::<f64>() / 5.0);
    let all = |status: &str| five.iter().all(|p| p["status"] == status);
    let status = match value {
        _ if five.iter().any(|p| p["status"] == "insufficient") => "insufficient",
        Some(_) => "ok",
        None if all("not_configured") => "not_configured",
        None => "empty",
    };
    json!({
        "start": five[0]["start"],
        "end": five[0]["end"],
        "partial": five[0]["partial"],
        "value": value,
        "n": five.iter().filter_map(|p| p["n"].as_u64()).min(),
        "numerator": null,
        "denominator": null,
        "quantiles": Map::new(),
        "ci": null,
        "status": status,
        "coverage": null,
        "excluded": Map::new(),
    })
}

/// 0 to 10: six categories count two each from the second on, a rate r counts 10 - 10 r.
fn score(id: &str, value: f64) -> f64 {
    const DAY: f64 = 86400.0;
    let categories = match id {
        "lead_time" | "recovery_time" => [3600.0, DAY, 7.0 * DAY, 30.0 * DAY, 182.0 * DAY].map(|cut| value < cut),
        "deployment_frequency" => [2.0, 1.0, 1.0 / 7.0, 1.0 / 30.0, 1.0 / 182.0].map(|cut| value >= cut),
        _ => return 10.0 - 10.0 * value,
    };
    2.0 * categories.iter().filter(|reached| **reached).count() as f64
}

#[cfg(test)]
mod tests {
    use super::score;

    /// A value exactly on a cut takes the slower band of a time, and the faster of a rate.
    #[test]
    fn scores_follow_section_3() {
        let times = [3599.0, 3600.0, 86400.0, 604_800.0, 2_592_000.0, 15_724_800.0].map(|seconds| score("lead_time", seconds));
        assert_eq!(times, [10.0, 8.0, 6.0, 4.0, 2.0, 0.0]);
        let rates = [2.0, 1.0, 1.0 / 7.0, 1.0 / 30.0, 1.0 / 182.0, 0.0].map(|rate| score("deployment_frequency", rate));
        assert_eq!(rates, [10.0, 8.0, 6.0, 4.0, 2.0, 0.0]);
        assert_eq!((score("change_fail_rate", 0.25), score("rework_rate", 1.0)), (7.5, 0.0));
    }
}
