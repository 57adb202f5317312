//! What people say of a deployment or an incident: the list of their verdicts, the form, and the way of a form's verdict into the
//! journal, which is that of `POST /v1/events/verdicts`.

use super::failure::Stop;
use super::format::{self, Moment};
use super::item::{Fields, Link};
use super::visit::Visit;
use crate::app::App;
use crate::auth;
use crate::config::Scope;
use crate::error::AppError;
use crate::{form_token, hooks};
use axum::body::Bytes;
use axum::response::{IntoResponse, Redirect, Response};
use chrono_tz::Tz;
use flowgauge_lake::model::{DeploymentKind, Source, Table, Time};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

const REASON_BYTES: usize = 2000;
const NAME_BYTES: usize = 200;

/// The verdicts of a page, and the form for the next one.
pub struct Verdicts {
    pub said: Vec<Said>,
    /// Why there is no form.
    pub closed: Option<&'static str>,
    pub action: String,
    pub token: String,
    /// Whether the form asks for a name: nobody has signed in.
    pub asks_name: bool,
    /// What may be said: value and words.
    pub choices: Vec<(String, String)>,
    /// Deployments that may be named: id and words. Only incidents have them.
    pub deployments: Option<Vec<(String, String)>>,
    pub can_take_back: bool,
}

/// One verdict.
pub struct Said {
    pub words: String,
    pub deployment: Option<String>,
    pub reason: String,
    pub who: String,
    pub at: Option<Moment>,
    pub takes_back: bool,
    pub raw: Option<Link>,
}

/// What a verdict is about.
#[derive(Clone, Copy)]
pub enum About<'a> {
    Deployment { id: &'a str, source: &'a str },
    Incident { id: &'a str, source: &'a str },
}

impl Verdicts {
    /// `item` is the thing as the API shows it.
    pub fn of(app: &App, visit: &Visit, item: &Map<String, Value>, tz: Tz) -> Result<Verdicts, AppError> {
        let mut rows: Vec<(Option<Time>, Said)> =
            Fields::list(item, "verdicts").map(|row| (row.time("decided_at"), said(row, tz))).collect();
        rows.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        let said: Vec<Said> = rows.into_iter().map(|(_, said)| said).collect();
        let reader = app.reader_of(auth::token(&visit.headers).as_deref());
        let can_write = reader.as_ref().is_some_and(|(_, scope)| *scope == Scope::Write);
        let kinds = DeploymentKind::ALL.iter().map(|kind| (format!("kind:{kind}"), format!("It was: {}", format::words(kind))));
        let choices = [("failed", "It failed"), ("not_failed", "It did not fail")];
        Ok(Verdicts {
            can_take_back: said.first().is_some_and(|last| !last.takes_back),
            said,
            closed: (!can_write).then_some("This token may read, but not write: a verdict needs a reader of scope write."),
            action: visit.address(),
            token: if can_write { form_token::issue(app, &visit.headers, &visit.path)? } else { String::new() },
            asks_name: reader.is_some_and(|(name, _)| name.is_none()),
            choices: choices.map(|(value, words)| (value.to_owned(), words.to_owned())).into_iter().chain(kinds).collect(),
            deployments: None,
        })
    }

    /// The form of an incident: which deployment caused it. `known` are those that are likely.
    #[must_use]
    pub fn about_causes(mut self, known: Vec<(String, String)>) -> Self {
        let choices = [("cause", "A deployment caused it"), ("no_deployment", "No deployment caused it")];
        self.choices = choices.map(|(value, words)| (value.to_owned(), words.to_owned())).to_vec();
        self.deployments = Some(known);
        self
    }
}

fn said(row: Fields<'_>, tz: Tz) -> Said {
    let is_about_incident = row.text("incident_id").is_some();
    let deployment = row.text("caused_by_deployment");
    let mut words = Vec::new();
    words.extend(deployment.map(|_| "caused by".to_owned()));
    words.extend(row.flag("failed").map(|failed| {
        let words = match (failed, is_about_incident) {
            (true, _) => "failed",
            (false, true) => "no deployment caused it",
            (false, false) => "did not fail",
        };
        words.to_owned()
    }));
    words.extend(row.text("kind").map(|kind| format!("was: {}", format::words(kind))));
    let takes_back = words.is_empty();
    let raw =
        row.text("raw_event_id").map(|id| Link { text: "raw event".to_owned(), href: format!("/api/v1/raw/{id}"), note: String::new() });
    Said {
        words: if takes_back { "taken back: what was said before does not hold".to_owned() } else { words.join(", ") },
        deployment: deployment.map(str::to_owned),
        reason: row.word("reason"),
        who: row.word("actor"),
        at: row.moment("decided_at", tz),
        takes_back,
        raw,
    }
}

/// What a form holds.
struct Given(Vec<(String, String)>);

impl Given {
    fn read(body: &[u8]) -> Given {
        Given(url::form_urlencoded::parse(body).into_owned().collect())
    }

    /// The last field of a name, without blanks around it.
    fn field(&self, name: &str) -> &str {
        self.0.iter().rev().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
    }
}

/// Takes a form's verdict in and leads back to its page, where it stands.
pub async fn take(app: &App, visit: &Visit, about: About<'_>, body: &Bytes) -> Result<Response, Stop> {
    let started = std::time::Instant::now();
    let given = Given::read(body);
    let actor = allowed(app, visit, &given)?;
    let row = row(app, about, &given, &actor)?;
    hooks::take(app, Table::Verdict, row.to_string().into(), started).await?;
    // Whoever said it sees it at once.
    app.lake().applied().await;
    let engine = app.engine().clone();
    tokio::task::spawn_blocking(move || engine.refresh()).await.map_err(|error| AppError::Internal(error.to_string()))?;
    Ok(Redirect::to(&format!("{}#verdicts", visit.address())).into_response())
}

/// Who speaks, if the form is one of ours and they may.
fn allowed(app: &App, visit: &Visit, given: &Given) -> Result<String, AppError> {
    if !auth::is_own(&app.config(), &visit.headers) {
        return Err(AppError::Foreign);
    }
    let (name, scope) = app.reader_of(auth::token(&visit.headers).as_deref()).ok_or(AppError::Unauthorised)?;
    if scope != Scope::Write {
        return Err(AppError::Forbidden);
    }
    form_token::check(app, &visit.headers, &visit.path, given.field("token"))?;
    let name = name.unwrap_or_else(|| given.field("name").to_owned());
    if name.is_empty() || name.len() > NAME_BYTES {
        return Err(AppError::BadRequest("say who you are: a verdict has a name of 1 to 200 bytes".to_owned()));
    }
    Ok(name)
}

/// The row of `verdicts` that a form means.
fn row(app: &App, about: About<'_>, given: &Given, actor: &str) -> Result<Value, AppError> {
    let bad = |text: String| AppError::BadRequest(text);
    let (column, id, source) = match about {
        About::Deployment { id, source } => ("deployment_id", id, source),
        About::Incident { id, source } => ("incident_id", id, source),
    };
    let (said, reason) = (given.field("said"), given.field("reason"));
    if reason.len() > REASON_BYTES {
        return Err(bad(format!("the reason has {} bytes; it may have {REASON_BYTES}", reason.len())));
    }
    let mut row =
        json!({column: id, "source": source, "actor": actor, "decided_at": app.now().to_string(), "verdict_id": verdict_id(given)});
    if !reason.is_empty() {
        row["reason"] = reason.into();
    }
    match (said, about) {
        ("take_back", _) => {}
        ("failed", About::Deployment { .. }) => row["failed"] = true.into(),
        ("not_failed", About::Deployment { .. }) => row["failed"] = false.into(),
        ("no_deployment", About::Incident { .. }) => row["failed"] = false.into(),
        ("cause", About::Incident { .. }) => row["caused_by_deployment"] = cause(app, given.field("deployment"), source)?.into(),
        (other, About::Deployment { .. }) => match other.strip_prefix("kind:").and_then(DeploymentKind::parse) {
            Some(kind) => row["kind"] = kind.as_str().into(),
            None => return Err(bad(format!("`{other}` is nothing that can be said of a deployment"))),
        },
        (other, About::Incident { .. }) => return Err(bad(format!("`{other}` is nothing that can be said of an incident"))),
    }
    Ok(row)
}

/// Of one form sent twice there is one verdict.
fn verdict_id(given: &Given) -> String {
    let mut hash = Sha256::new();
    for (name, value) in &given.0 {
        for part in [name, value] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hex::encode(&hash.finalize()[..16])
}

/// The deployment that is named as a cause, if the rules would find it.
fn cause(app: &App, id: &str, source: &str) -> Result<String, AppError> {
    let facts = app.engine().facts(&app.tenant());
    if facts.may_have_caused(id, &Source::new(source)) {
        return Ok(id.to_owned());
    }
    Err(AppError::BadRequest(format!(
        "`{id}` is no deployment that changed production (or several have this id); take the id from the list of deployments"
    )))
}
