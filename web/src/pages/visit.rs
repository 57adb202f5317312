//! A visit: who asks for a page, from which address, and the frame in which every page is shown.

use super::address;
use super::failure::Stop;
use super::filters::Filters;
use super::format::Moment;
use crate::app::App;
use crate::auth;
use crate::error::AppError;
use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Redirect, Response};
use flowgauge_query::facts::Facts;

/// A request for a page by somebody who may read.
pub struct Visit {
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
}

impl Visit {
    /// The visit of anybody, who need not be signed in.
    pub fn of_anybody(parts: &Parts) -> Visit {
        Visit { path: parts.uri.path().to_owned(), query: parts.uri.query().unwrap_or_default().to_owned(), headers: parts.headers.clone() }
    }

    pub fn address(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    /// The filters of a page that knows these parameters. An address that a form left untidy is led to its canonical form.
    pub fn filters(&self, app: &App, facts: &Facts, allowed: &[&'static str]) -> Result<Filters, Stop> {
        let filters = Filters::parse(&self.query, allowed, facts, &app.engine().rules(), app.now())?;
        if filters.is_untidy { Err(Stop::Elsewhere(filters.canonical(&self.path))) } else { Ok(filters) }
    }

    /// The theme that is asked for, also where the rest of the address is not understood.
    fn theme(&self) -> Option<&'static str> {
        let mut parameters = url::form_urlencoded::parse(self.query.as_bytes());
        let theme = parameters.find(|(name, _)| name == "theme").map(|(_, value)| value)?;
        ["light", "dark"].into_iter().find(|known| *known == theme)
    }

    /// The frame of a page. `filters` are carried along to the pages that know them.
    pub fn shell(&self, title: &str, filters: Option<&Filters>) -> Shell {
        let path = self.path.as_str();
        let plain = |path: &str| address::with_query(path, self.theme().map(|theme| ("theme", theme)));
        let to = |path: &str, names: &[&str]| filters.map_or_else(|| plain(path), |filters| filters.carry(path, names, &[]));
        let link = |text: &'static str, href: String, is_current: bool| Link { text, href, is_current };
        let theme = self.theme();
        let themed = |text: &'static str, value: Option<&'static str>| {
            let href = match filters {
                Some(filters) => filters.with(path, "theme", value),
                None => address::with_query(path, value.map(|value| ("theme", value))),
            };
            link(text, href, theme == value)
        };
        Shell {
            title: title.to_owned(),
            nav: vec![
                link("Overview", to("/", &["from", "to", "tz", "theme"]), path == "/"),
                link("Deployments", to("/deployments", &["from", "to", "tz", "theme"]), path.starts_with("/deployments")),
                link("Incidents", to("/incidents", &["from", "to", "tz", "theme"]), path.starts_with("/incidents")),
                link("Sources", to("/sources", &["theme"]), path == "/sources"),
            ],
            themes: vec![themed("As the system", None), themed("Light", Some("light")), themed("Dark", Some("dark"))],
            theme: theme.unwrap_or("auto"),
            stylesheet: super::assets::STYLE.address(),
            icon: super::assets::ICON.address(),
            can_sign_out: self
                .headers
                .get_all(header::COOKIE)
                .iter()
                .any(|line| line.to_str().is_ok_and(|line| line.contains(auth::COOKIE))),
            data_as_of: None,
        }
    }

    /// The answer to a visit: the page, or why there is none.
    pub fn answer<T: Template>(&self, page: Result<T, Stop>) -> Response {
        match page.and_then(|page| page.render().map_err(|error| Stop::from(AppError::Internal(error.to_string())))) {
            Ok(html) => Html(html).into_response(),
            Err(stop) => stop.answer(self),
        }
    }
}

/// Whoever may not read is led to the sign-in, and from there back.
impl FromRequestParts<App> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let visit = Visit::of_anybody(parts);
        if app.scope_of(auth::token(&parts.headers).as_deref()).is_some() {
            return Ok(visit);
        }
        let back = visit.address();
        Err(Redirect::to(&address::with_query("/signin", (back != "/").then_some(("next", back.as_str())))).into_response())
    }
}

pub struct Link {
    pub text: &'static str,
    pub href: String,
    pub is_current: bool,
}

/// What stands around every page.
pub struct Shell {
    pub title: String,
    pub nav: Vec<Link>,
    pub themes: Vec<Link>,
    pub theme: &'static str,
    pub stylesheet: &'static str,
    pub icon: &'static str,
    pub can_sign_out: bool,
    pub data_as_of: Option<Moment>,
}
