//! The one place that asks the time. Everything else is told it.

use crate::model::Time;

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Time {
    chrono::Utc::now().into()
}
