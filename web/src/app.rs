//! What every handler can reach: configuration, lake, engine, SQL gate, counters. Passed in, never global.

use crate::config::{Config, Overrides, Scope};
use crate::counters::Counters;
use crate::exposition::Exposition;
use flowgauge_ingest::Normaliser;
use flowgauge_lake::model::{RawEvent, Tenant, Time};
use flowgauge_lake::{Lake, LakeError, LakeOptions, Normalise, Normalised};
use flowgauge_query::{Engine, Sql, Written, persist_facts};
use std::sync::{Arc, PoisonError, RwLock};

/// The application: cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    config: RwLock<Arc<Config>>,
    overrides: Overrides,
    pub lake: Arc<Lake>,
    pub engine: Arc<Engine>,
    pub sql: Sql,
    pub counters: Counters,
    exposition: Exposition,
    normaliser: Arc<Reader>,
    written: tokio::sync::Mutex<Written>,
}

/// The normaliser as the lake knows it; replaced when the configuration is.
struct Reader(RwLock<Arc<Normaliser>>);

impl Reader {
    fn current(&self) -> Arc<Normaliser> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Normalise for Reader {
    fn normalise(&self, raw: &RawEvent) -> Normalised {
        let normaliser = self.current();
        let event = normaliser.event_name(raw);
        match normaliser.normalise(raw) {
            Ok(observations) => Normalised { event, observations, problem: None, unknown: false },
            Err(error) => {
                let unknown = matches!(error, flowgauge_ingest::NormaliseError::UnknownEvent(_));
                Normalised { event, observations: Vec::new(), problem: Some(error.to_string()), unknown }
            }
        }
    }
}

impl App {
    /// Opens the data folder of a configuration and reads what is in it.
    pub async fn open(config: Config, overrides: Overrides) -> Result<App, LakeError> {
        App::open_with(config, overrides, |_| {}).await
    }

    /// As `open`, with the lake's options in the caller's hands (the crash test's control switches safety off).
    pub async fn open_with(config: Config, overrides: Overrides, adjust: impl FnOnce(&mut LakeOptions)) -> Result<App, LakeError> {
        let engine = Engine::new(config.rules.clone());
        let mut options = LakeOptions::new(&config.data);
        adjust(&mut options);
        // Pseudonyms need the tenant's key, which is kept in the data folder.
        let mut made = None;
        let lake = Lake::open_with(
            options,
            |folder| {
                let key = folder.tenant_key(&Tenant::default())?;
                let reader = Arc::new(Reader(RwLock::new(Arc::new(Normaliser::new(config.mapping_rules(key))))));
                made = Some(reader.clone());
                Ok(reader)
            },
            engine.clone(),
        )
        .await?;
        let normaliser = made.ok_or_else(|| LakeError::Unavailable("the data folder was opened without a reader".to_owned()))?;
        let lake = Arc::new(lake);
        engine.refresh();
        let sql = Sql::new(engine.clone(), lake.clone()).map_err(|error| LakeError::Unavailable(error.to_string()))?;
        Ok(App(Arc::new(Inner {
            config: RwLock::new(Arc::new(config)),
            overrides,
            lake,
            engine,
            sql,
            counters: Counters::new(),
            exposition: Exposition::default(),
            normaliser,
            written: tokio::sync::Mutex::default(),
        })))
    }

    pub fn config(&self) -> Arc<Config> {
        self.0.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn lake(&self) -> &Arc<Lake> {
        &self.0.lake
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.0.engine
    }

    pub fn sql(&self) -> &Sql {
        &self.0.sql
    }

    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub fn exposition(&self) -> &Exposition {
        &self.0.exposition
    }

    pub fn now(&self) -> Time {
        flowgauge_lake::clock::now()
    }

    /// Reads the configuration again. What is wrong with it is told, and the old one stays.
    pub fn reload(&self) -> Result<(), crate::config::ConfigError> {
        let fresh = Config::load(&self.0.overrides)?;
        let old = self.config();
        if fresh.listen != old.listen || fresh.data != old.data {
            return Err(crate::config::ConfigError::Invalid(
                "listen and [store] path change only with a restart; nothing was changed".to_owned(),
            ));
        }
        fresh.check_server()?;
        let key =
            self.0.lake.folder().tenant_key(&Tenant::default()).map_err(|error| crate::config::ConfigError::Invalid(error.to_string()))?;
        *self.0.normaliser.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Normaliser::new(fresh.mapping_rules(key)));
        self.0.engine.reconfigure(fresh.rules.clone());
        *self.0.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        Ok(())
    }

    /// Moves what is journalled into the tables, the facts too: for those who read the folder with other tools.
    pub async fn flush(&self) -> Result<(), LakeError> {
        self.0.lake.applied().await;
        self.0.lake.flush().await?;
        self.0.engine.refresh();
        self.persist_facts().await
    }

    /// Brings the fact tables up to date.
    pub async fn persist_facts(&self) -> Result<(), LakeError> {
        let mut written = self.0.written.lock().await;
        persist_facts(&self.0.engine, &self.0.lake, &self.tenant(), &mut written).await?;
        self.0.lake.folder().sync()
    }

    /// Writes changed facts to their tables from time to time.
    pub async fn keep_facts_written(self, every: std::time::Duration) {
        loop {
            if let Err(error) = self.persist_facts().await {
                tracing::error!(%error, "the fact tables could not be written; they are tried again later");
            }
            tokio::time::sleep(every).await;
        }
    }

    /// What a bearer of `token` may do; `None`: nothing.
    pub fn scope_of(&self, token: Option<&str>) -> Option<Scope> {
        self.reader_of(token).map(|(_, scope)| scope)
    }

    /// The reader's name and what a bearer of `token` may do. Without readers, on a loopback address, everybody may do everything, and
    /// has no name.
    pub fn reader_of(&self, token: Option<&str>) -> Option<(Option<String>, Scope)> {
        let config = self.config();
        if config.readers.is_empty() && config.is_open() {
            return Some((None, Scope::Write));
        }
        let token = token?;
        let mut readers = config.readers.iter().filter(|reader| reader.holds(token)).collect::<Vec<_>>();
        readers.sort_by_key(|reader| reader.scope);
        readers.last().map(|reader| (Some(reader.name.clone()), reader.scope))
    }

    /// The tenant of a request: of its token, never of its parameters. There is one so far.
    pub fn tenant(&self) -> Tenant {
        Tenant::default()
    }
}
