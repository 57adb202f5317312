//! The one place that asks the time. Everything else is told it.

use crate::model::Time;

pub fn now() -> Time {
    chrono::Utc::now().into()
}
