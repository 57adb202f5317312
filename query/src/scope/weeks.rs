//! Local days and weeks of deployments: for definitions that count days of a week with a deployment, empty weeks included.

use super::{Builder, ScopeRow};
use crate::buckets::{Bucketing, buckets};
use crate::question::MAX_BUCKETS;
use chrono::{Datelike, Days, NaiveDate};
use flowgauge_lake::model::Time;

impl Builder<'_> {
    /// The numbers of the local day and week of a moment, where weeks are told.
    pub(super) fn day_and_week(&self, at: Time) -> (Option<i64>, Option<i64>) {
        if !self.facts.definitions.tells_weeks() {
            return (None, None);
        }
        let day = at.to_datetime().with_timezone(&self.question.tz).date_naive();
        let first_day = self.facts.definitions.first_day(self.question.first_day);
        let start = day.checked_sub_days(Days::new(u64::from(day.weekday().days_since(first_day)))).unwrap_or(day);
        (Some(number(day)), Some(number(start)))
    }

    /// A row for each week that a bucket touches, in every series.
    pub(super) fn weeks(&mut self) {
        if !self.facts.definitions.tells_weeks() {
            return;
        }
        let (question, first_day) = (self.question, self.facts.definitions.first_day(self.question.first_day));
        let mut rows = Vec::new();
        for (place, bucket) in self.buckets.iter().enumerate().filter(|(_, bucket)| !bucket.is_empty()) {
            let weeks = buckets(bucket.from, bucket.to, question.as_of, Bucketing::Week, question.tz, first_day, MAX_BUCKETS);
            for week in weeks.into_iter().flatten() {
                let (_, week) = self.day_and_week(week.start);
                rows.push(ScopeRow { what: "week", bucket: Some(place as i64), week, ..ScopeRow::default() });
            }
        }
        let keys: Vec<Vec<String>> = self.series.keys().cloned().collect();
        for key in keys {
            rows.iter().for_each(|row| self.push(&key, row.clone(), Vec::new));
        }
    }
}

fn number(day: NaiveDate) -> i64 {
    i64::from(day.num_days_from_ce())
}
