//! stub
use crate::app::App;
use axum::extract::State;
pub async fn metrics(State(_app): State<App>) -> String {
    String::new()
}
