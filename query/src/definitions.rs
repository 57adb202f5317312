//! Definitions as code: every switch of the metrics, with the default preset's values. A definition has a hash; answers carry it.
//! `switches` says what there is to choose, `presets` which choices have a name.

pub mod presets;
mod switches;

use chrono::Weekday;
use flowgauge_lake::model::Tier;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
pub use switches::*;

/// `[definitions]` of the configuration, resolved. Durations are seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Definitions {
    pub preset: String,
    pub deployment_source: DeploymentSource,
    pub env_filter: EnvFilter,
    pub dedupe: Dedupe,
    /// Different evidence of one version within this time is one deployment.
    #[serde(with = "duration")]
    pub dedupe_window: i64,
    /// The same version in several production environments within this time is one deployment.
    #[serde(with = "duration")]
    pub fanout_window: i64,
    pub df_kinds: DfKinds,
    pub df_stat: DfStat,
    pub change_set: ChangeSet,
    pub lt_unit: LtUnit,
    pub lt_start: LtStart,
    pub lt_end: LtEnd,
    pub lt_window: LtWindow,
    pub lt_legs: LtLegs,
    pub lt_round: Round,
    /// Lead times of zero are left out, as negative ones always are.
    pub lt_drop_nonpositive: bool,
    pub lt_squash: LtSquash,
    pub lt_merges: LtMerges,
    pub cfr_num: CfrNum,
    pub cfr_den: CfrDen,
    pub attribution: Attribution,
    pub attribution_strict: AttributionStrict,
    pub attribution_scope: AttributionScope,
    /// An incident is charged to a deployment at most this long after it finished; `None`: however long.
    #[serde(with = "duration::limit")]
    pub attribution_max_lag: Option<i64>,
    pub incident_time: IncidentTime,
    pub duplicates: Duplicates,
    /// A failing test or degraded health this long after a deployment makes it failed.
    #[serde(with = "duration")]
    pub verify_window: i64,
    /// A deployment younger than this may still turn out to have failed.
    #[serde(with = "duration")]
    pub maturity: i64,
    pub recovery_start: RecoveryStart,
    pub recovery_window: RecoveryWindow,
    pub recovery_round: Round,
    pub quantile: Quantile,
    pub censoring: Censoring,
    pub empty: Empty,
    pub week_start: WeekStart,
    pub interval_ends: IntervalEnds,
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

impl Default for Definitions {
    fn default() -> Self {
        Definitions {
            preset: presets::DEFAULT.to_owned(),
            deployment_source: DeploymentSource::default(),
            env_filter: EnvFilter::default(),
            dedupe: Dedupe::default(),
            dedupe_window: 15 * 60,
            fanout_window: 2 * 3600,
            df_kinds: DfKinds::default(),
            df_stat: DfStat::default(),
            change_set: ChangeSet::default(),
            lt_unit: LtUnit::default(),
            lt_start: LtStart::default(),
            lt_end: LtEnd::default(),
            lt_window: LtWindow::default(),
            lt_legs: LtLegs::default(),
            lt_round: Round::default(),
            lt_drop_nonpositive: false,
            lt_squash: LtSquash::default(),
            lt_merges: LtMerges::default(),
            cfr_num: CfrNum::default(),
            cfr_den: CfrDen::default(),
            attribution: Attribution::default(),
            attribution_strict: AttributionStrict::default(),
            attribution_scope: AttributionScope::default(),
            attribution_max_lag: Some(24 * 3600),
            incident_time: IncidentTime::default(),
            duplicates: Duplicates::default(),
            verify_window: 30 * 60,
            maturity: 24 * 3600,
            recovery_start: RecoveryStart::default(),
            recovery_window: RecoveryWindow::default(),
            recovery_round: Round::default(),
            quantile: Quantile::default(),
            censoring: Censoring::default(),
            empty: Empty::default(),
            week_start: WeekStart::default(),
            interval_ends: IntervalEnds::default(),
            promotion_horizon: 30 * 86_400,
            required_gates: Vec::new(),
            min_n: 5,
            incident_labels: vec!["incident".to_owned()],
        }
    }
}

/// Other names of keys.
const SHORT_NAMES: [(&str, &str); 4] = [
    ("attr", "attribution"),
    ("attr_strict", "attribution_strict"),
    ("attr_scope", "attribution_scope"),
    ("attr_max_lag", "attribution_max_lag"),
];

/// Values that other tools would need and that cannot be counted by yet: they are refused, not read as something else.
const NOT_YET: [(&str, &str); 16] = [
    ("change_set", "merge_order"),
    ("cfr_den", "lt_rows"),
    ("attribution", "interval"),
    ("dedupe", "none"),
    ("deployment_source", "pipeline"),
    ("deployment_source", "change"),
    ("df_stat", "bucket_mean_floor"),
    ("df_stat", "observed_span"),
    ("interval_ends", "closed"),
    ("lt_end", "started"),
    ("lt_legs", "middleware_sum"),
    ("lt_start", "artifact"),
    ("lt_start", "push"),
    ("lt_unit", "deploy_head"),
    ("lt_window", "merged"),
    ("quantile", "mean_of_means"),
];

impl Definitions {
    /// What is written of them: the keys of a preset, and over these the others.
    pub fn read(mut written: Map<String, Value>) -> Result<Definitions, String> {
        for (short, name) in SHORT_NAMES {
            if let Some(value) = written.remove(short)
                && written.insert(name.to_owned(), value).is_some()
            {
                return Err(format!("`{short}` and `{name}` are one key: write one of them"));
            }
        }
        // One word for both durations that tools round.
        if let Some(round) = written.remove("round") {
            for name in ["lt_round", "recovery_round"] {
                written.entry(name).or_insert_with(|| round.clone());
            }
        }
        if let Some(start @ Value::String(_)) = written.get_mut("recovery_start").filter(|start| **start == "min(deploy,created)") {
            *start = RecoveryStart::MinDeployCreated.as_str().into();
        }
        for (name, value) in &written {
            if NOT_YET.iter().any(|(key, unable)| key == name && value == unable) {
                return Err(format!("`{name} = {value}` cannot be counted by yet: take another value of docs/configuration.md"));
            }
            // Each on its own, so that an error names its key.
            serde_json::from_value::<Definitions>(Value::Object(Map::from_iter([(name.clone(), value.clone())]))).map_err(|error| {
                if error.to_string().contains("unknown field") { error.to_string() } else { format!("{error} (in {name})") }
            })?;
        }
        let name = written.get("preset").and_then(Value::as_str).unwrap_or(presets::DEFAULT).to_owned();
        let base = presets::written(&name).ok_or_else(|| format!("unknown preset `{name}`: expected {}", presets::expected(&name)))?;
        let definitions = match base.get("preset") {
            // A preset may start from another one.
            Some(_) => Definitions::read(base)?,
            None => over(&Definitions::default(), base)?,
        };
        let definitions = Definitions { preset: name, ..over(&definitions, written)? };
        definitions.check()?;
        Ok(definitions)
    }

    /// Refuses what contradicts itself.
    fn check(&self) -> Result<(), String> {
        if self.lt_unit == LtUnit::PrMerge && self.lt_start != LtStart::Merge {
            return Err(format!("lt_unit = pr_merge begins at the merge: write lt_start = merge instead of {}", self.lt_start.as_str()));
        }
        if self.lt_legs == LtLegs::DevlakeSum && self.lt_unit != LtUnit::PrFirstCommit {
            return Err(format!(
                "lt_legs = devlake_sum adds up a change: write lt_unit = pr_first_commit instead of {}",
                self.lt_unit.as_str()
            ));
        }
        Ok(())
    }

    /// `sha256:…` over the switches: equal for equal definitions on any machine.
    pub fn hash(&self) -> String {
        let text = serde_json::to_string(self).expect("definitions are plain data");
        format!("sha256:{}", hex::encode(Sha256::digest(text)))
    }

    /// Whether deployments of this tier count where no environment is asked for.
    pub fn counts_tier(&self, tier: Tier) -> bool {
        self.env_filter == EnvFilter::None || tier == Tier::Production
    }

    /// Whether recovery is told of incidents, not of failed deployments.
    pub fn recovers_incidents(&self) -> bool {
        self.recovery_start != RecoveryStart::Deploy || self.recovery_window != RecoveryWindow::Deployed
    }

    /// Whether weeks are told beside deployment frequency.
    pub fn tells_weeks(&self) -> bool {
        self.df_stat == DfStat::MedianDaysPerWeek || self.week_start != WeekStart::Display
    }

    /// The first day of a week, where the question says `asked`.
    pub fn first_day(&self, asked: Weekday) -> Weekday {
        match self.week_start {
            WeekStart::Display => asked,
            WeekStart::Monday => Weekday::Mon,
            WeekStart::Sunday => Weekday::Sun,
        }
    }
}

/// The keys that are written, over definitions.
fn over(base: &Definitions, written: Map<String, Value>) -> Result<Definitions, String> {
    let mut all = match serde_json::to_value(base) {
        Ok(Value::Object(all)) => all,
        _ => Map::new(),
    };
    all.extend(written);
    serde_json::from_value(Value::Object(all)).map_err(|error| error.to_string())
}

/// Reads `[definitions]` as it is written, over the preset that it names.
pub fn written<'de, D: Deserializer<'de>>(from: D) -> Result<Definitions, D::Error> {
    Definitions::read(Map::deserialize(from)?).map_err(D::Error::custom)
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
        read(Written::deserialize(from)?).map_err(Error::custom)
    }

    fn read(written: Written) -> Result<i64, String> {
        match written {
            Written::Seconds(seconds) if seconds >= 0 => Ok(seconds),
            Written::Seconds(seconds) => Err(format!("a duration cannot be negative, found {seconds}")),
            Written::Text(text) => {
                super::seconds(&text).ok_or_else(|| format!("`{text}` is no duration, write `90s`, `15m`, `24h` or `7d`"))
            }
        }
    }

    /// A duration, or `"none"`.
    pub mod limit {
        use super::{Deserialize, Deserializer, Error, Serializer, Written, read};

        pub fn serialize<S: Serializer>(limit: &Option<i64>, to: S) -> Result<S::Ok, S::Error> {
            match limit {
                Some(seconds) => to.serialize_i64(*seconds),
                None => to.serialize_str("none"),
            }
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
            match Written::deserialize(from)? {
                Written::Text(text) if text == "none" => Ok(None),
                written => read(written).map(Some).map_err(Error::custom),
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
    use serde_json::json;

    #[test]
    fn durations_read_and_hash_stays() {
        assert_eq!(seconds("24h"), Some(86_400));
        assert_eq!(seconds("-1h"), None);
        assert_eq!(seconds("1w"), None);
        assert_eq!(Definitions::default().hash(), Definitions::default().hash());
        assert_ne!(Definitions::default().hash(), Definitions { min_n: 6, ..Definitions::default() }.hash());
    }

    fn read(written: Value) -> Result<Definitions, String> {
        Definitions::read(serde_json::from_value(written).expect("a table"))
    }

    #[test]
    fn keys_are_written_over_a_preset() {
        let read = read(json!({"preset": "devlake_2021", "attr_max_lag": "7d", "round": "trunc_s"})).expect("definitions");
        let preset = presets::definitions("devlake_2021").expect("a preset");
        let (lt_round, recovery_round) = (Round::TruncSecond, Round::TruncSecond);
        assert_eq!(read, Definitions { attribution_max_lag: Some(7 * 86_400), lt_round, recovery_round, ..(*preset).clone() });
        assert_eq!(preset.recovery_start, RecoveryStart::Created);
        // What it does not write itself is that of the preset it starts from.
        assert_eq!((preset.cfr_den, preset.attribution_max_lag), (CfrDen::Success, None));
    }

    #[test]
    fn nothing_written_is_the_default() {
        assert_eq!(read(json!({})), Ok(Definitions::default()));
        assert_eq!(read(json!({"preset": "flowgauge"})), Ok(Definitions::default()));
        let all = serde_json::to_value(Definitions::default()).expect("plain data");
        assert_eq!(read(all), Ok(Definitions::default()));
    }

    #[test]
    fn slips_and_contradictions_are_refused() {
        for (written, words) in [
            (json!({"preset": "devlake_2022"}), &["`devlake_2022`", "did you mean `devlake_202"][..]),
            (json!({"quantille": "linear"}), &["`quantille`", "`quantile`"]),
            (json!({"quantile": "lower"}), &["`lower`", "`lower_percent_rank`", "in quantile"]),
            (json!({"attribution_max_lag": "1w"}), &["in attribution_max_lag"]),
            (json!({"attr": "none", "attribution": "none"}), &["one of them"]),
            (json!({"df_stat": "observed_span"}), &["df_stat", "yet"]),
            (json!({"lt_unit": "pr_merge"}), &["lt_start = merge"]),
            (json!({"lt_legs": "devlake_sum"}), &["lt_unit = pr_first_commit"]),
        ] {
            let said = read(written.clone()).expect_err("a slip");
            assert!(words.iter().all(|word| said.contains(word)), "{written}: {said}");
        }
    }
}
