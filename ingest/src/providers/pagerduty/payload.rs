//! What PagerDuty sends (webhooks v3) and answers (REST v2), as far as we read it.

use crate::providers::shared::{id, time};
use flowgauge_lake::model::Time;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
pub struct Message {
    pub event: Option<Event>,
}

#[derive(Debug, Deserialize)]
pub struct Event {
    #[serde(default, deserialize_with = "id")]
    pub id: Option<String>,
    pub event_type: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub occurred_at: Option<Time>,
    /// An incident, or something that belongs to one (a note, a status update), or a service: its `type` tells.
    pub data: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub struct Incident {
    #[serde(default, deserialize_with = "id")]
    pub id: Option<String>,
    pub status: Option<String>,
    pub title: Option<String>,
    pub service: Option<Reference>,
    pub priority: Option<Reference>,
    pub urgency: Option<String>,
    pub html_url: Option<String>,
    /// Older deliveries leave it out.
    #[serde(default, deserialize_with = "time")]
    pub created_at: Option<Time>,
    // The rest stands in REST answers only.
    #[serde(default, deserialize_with = "time")]
    pub resolved_at: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    pub updated_at: Option<Time>,
    #[serde(default, deserialize_with = "time")]
    pub last_status_change_at: Option<Time>,
    pub acknowledgements: Option<Vec<Acknowledgement>>,
}

/// Another object, by its name.
#[derive(Debug, Deserialize)]
pub struct Reference {
    pub summary: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Acknowledgement {
    #[serde(default, deserialize_with = "time")]
    pub at: Option<Time>,
}
