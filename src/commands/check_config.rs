//! `flowgauge check-config`: whether the configuration can be used, and what it comes to. Secrets are read and never shown.

use super::Place;
use clap::Args;
use flowgauge_web::config::Config;

#[derive(Debug, Args)]
pub struct CheckConfig {
    #[command(flatten)]
    place: Place,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

impl CheckConfig {
    pub fn run(self) -> anyhow::Result<()> {
        let config = Config::load(&self.place.overrides(self.listen.clone()))?;
        config.check_server()?;
        let mut lines = vec![format!("listen       {}", config.listen), format!("data         {}", config.data.display())];
        for source in config.sources.values() {
            let secret = if source.secrets.is_none() { "no secret" } else { "signed" };
            lines.push(format!("source       {} ({}, {secret}) at /hooks/{}", source.name, source.kind, source.name));
        }
        if config.sources.is_empty() && config.is_open() {
            lines.push("source       every provider's kind, unsigned, since nothing is configured and the address is loopback".to_owned());
        }
        for reader in &config.readers {
            lines.push(format!("reader       {} ({:?})", reader.name, reader.scope));
        }
        for service in &config.rules.catalogue.services {
            lines.push(format!("service      {} of team {}", service.name, service.team.as_deref().unwrap_or("(by owner)")));
        }
        lines.push(format!("definitions  {} {}", config.rules.definitions.preset, config.rules.definitions.hash()));
        lines.push("the configuration is good".to_owned());
        super::say(&lines.join("\n"));
        Ok(())
    }
}
