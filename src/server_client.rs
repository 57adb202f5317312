//! Talking to a running server: the same questions and rows as a data folder takes.

use crate::commands::Remote;
use crate::exit::Usage;
use anyhow::{Context, bail};
use bytes::Bytes;
use flowgauge_lake::model::Table;
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde_json::Value;

pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
}

/// A part of a path with everything escaped that could end it.
pub fn encode(part: &str) -> String {
    part.bytes()
        .map(|b| if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) { (b as char).to_string() } else { format!("%{b:02X}") })
        .collect()
}

impl Client {
    /// The server that the command line names, if it names one.
    pub fn of(remote: &Remote) -> anyhow::Result<Option<Client>> {
        let Some(address) = &remote.server else { return Ok(None) };
        let token = match &remote.token_file {
            Some(path) => Some(
                std::fs::read_to_string(path)
                    .map_err(|error| Usage(format!("cannot read {}: {error}", path.display())))?
                    .trim_end()
                    .to_owned(),
            ),
            None => None,
        };
        Client::at(address, token).map(Some)
    }

    pub fn at(address: &str, token: Option<String>) -> anyhow::Result<Client> {
        let base = address.parse().map_err(|_| Usage(format!("--server `{address}` is no address: write http://127.0.0.1:8080")))?;
        Ok(Client { http: reqwest::Client::new(), base, token })
    }

    fn request(&self, method: Method, path: &str) -> anyhow::Result<RequestBuilder> {
        let request = self.http.request(method, self.base.join(path)?);
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    async fn answer(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let response = request.send().await.with_context(|| format!("cannot reach {}; is the server running?", self.base))?;
        let status = response.status();
        let body = response.bytes().await?;
        if status.is_success() {
            return serde_json::from_slice(&body).with_context(|| format!("{} did not answer with JSON; is it flowgauge?", self.base));
        }
        let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
        let detail = problem["detail"].as_str().unwrap_or("no reason given").to_owned();
        match status {
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => Err(Usage(detail).into()),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Usage(format!("{detail} (name a token with --token-file)")).into()),
            status => bail!("the server answered {status}: {detail}"),
        }
    }

    pub async fn get(&self, path: &str, parameters: &[(String, String)]) -> anyhow::Result<Value> {
        let mut url = self.base.join(path)?;
        url.query_pairs_mut().extend_pairs(parameters);
        let request = self.request(Method::GET, url.as_str())?;
        self.answer(request).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.request(Method::POST, path)?.header("content-type", "application/json").body(body.to_string());
        self.answer(request).await
    }

    /// Sends rows of a table; says whether they were new.
    pub async fn send_rows(&self, table: Table, lines: Bytes) -> anyhow::Result<bool> {
        let request = self.request(Method::POST, &format!("/v1/events/{}", table.name()))?.body(lines);
        Ok(self.answer(request).await?["duplicate"] != true)
    }
}
