//! Definitions as code: every switch of the metrics, with the default preset's values. A definition has a hash; answers carry it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// `[definitions]` of the configuration, resolved. Durations are seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Definitions {
    pub preset: String,
    /// An incident is charged to a deployment at most this long after it finished.
    #[serde(with = "duration")]
    pub attribution_max_lag: i64,
    /// `service`, or `project`: then an incident that names no service may belong to any.
    pub attribution_scope: AttributionScope,
    /// Different evidence of one version within this time is one deployment.
    #[serde(with = "duration")]
    pub dedupe_window: i64,
    /// The same version in several production environments within this time is one deployment.
    #[serde(with = "duration")]
    pub fanout_window: i64,
    /// A failing test or degraded health this long after a deployment makes it failed.
    #[serde(with = "duration")]
    pub verify_window: i64,
    /// A deployment younger than this may still turn out to have failed.
    #[serde(with = "duration")]
    pub maturity: i64,
    /// What entered an environment counts as promoted if it reaches the next within this time.
    #[serde(with = "duration")]
    pub promotion_horizon: i64,
    /// Gates that every production deployment needs (`scan:sast`, `test:e2e`, `approval:release`); empty: those that a service
    /// showed in the 90 days before.
    pub required_gates: Vec<String>,
    /// Fewer values than this are marked `insufficient`.
    pub min_n: i64,
    /// An issue with one of these labels (any case) is an incident.
    pub incident_labels: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributionScope {
    Service,
    Project,
}

impl Default for Definitions {
    fn default() -> Self {
        Definitions {
            preset: "flowgauge".to_owned(),
            attribution_max_lag: 24 * 3600,
            attribution_scope: AttributionScope::Service,
            dedupe_window: 15 * 60,
            fanout_window: 2 * 3600,
            verify_window: 30 * 60,
            maturity: 24 * 3600,
            promotion_horizon: 30 * 86_400,
            required_gates: Vec::new(),
            min_n: 5,
            incident_labels: vec!["incident".to_owned()],
        }
    }
}

impl Definitions {
    /// `sha256:…` over the switches: equal for equal definitions on any machine.
    pub fn hash(&self) -> String {
        let text = serde_json::to_string(self).expect("definitions are plain data");
        format!("sha256:{}", hex::encode(Sha256::digest(text)))
    }
}

/// `"24h"`, `"15m"`, `"90s"`, `"7d"` or a number of seconds.
mod duration {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Seconds(i64),
        Text(String),
    }

    pub fn serialize<S: Serializer>(seconds: &i64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(*seconds)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        match Written::deserialize(from)? {
            Written::Seconds(seconds) if seconds >= 0 => Ok(seconds),
            Written::Seconds(seconds) => Err(Error::custom(format!("a duration cannot be negative, found {seconds}"))),
            Written::Text(text) => {
                super::seconds(&text).ok_or_else(|| Error::custom(format!("`{text}` is no duration, write `90s`, `15m`, `24h` or `7d`")))
            }
        }
    }
}

/// Reads `90s`, `15m`, `24h`, `7d`.
pub fn seconds(text: &str) -> Option<i64> {
    let unit = text.chars().last()?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    (number >= 0).then(|| number.checked_mul(factor)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_hash_stays() {
        assert_eq!(seconds("24h"), Some(86_400));
        assert_eq!(seconds("-1h"), None);
        assert_eq!(seconds("1w"), None);
        assert_eq!(Definitions::default().hash(), Definitions::default().hash());
        assert_ne!(Definitions::default().hash(), Definitions { min_n: 6, ..Definitions::default() }.hash());
    }
}
