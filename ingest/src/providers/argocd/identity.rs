//! Which service an application runs, and in which environment: told by names, as long as nothing is configured.
//!
//! - Service: the application's name without an environment's name at either end (`checkout-prod`, `prod-eu-checkout`), else the
//!   label `app.kubernetes.io/part-of`, else the name itself.
//! - Environment, as it is written: that part of the name, else the label `environment` or `env`, else what the destination's
//!   namespace (`payments-prod`) or cluster (`gke-prod-eu`) tells, else the namespace or cluster itself, of no tier.
//!
//! A region counts to the environment's name beside it: `checkout-prod-eu-west-1` is `checkout` in `prod-eu-west-1`.

use super::payload::Application;
use crate::environments::{anywhere, at_an_end};
use crate::provider::NormaliseError;
use crate::providers::shared;

const PART_OF: &str = "app.kubernetes.io/part-of";

/// The environment of an application that names none and has no destination either.
const NOWHERE: &str = "default";

#[derive(Debug, PartialEq)]
pub(super) struct Identity {
    /// The application's own name, qualified by its namespace where that is not the controller's.
    pub app: String,
    pub service: String,
    pub environment: String,
}

pub(super) fn of(app: &Application) -> Result<Identity, NormaliseError> {
    let name = shared::need(app.metadata.name.clone().and_then(shared::filled), "metadata.name")?;
    let label = |key: &str| app.metadata.labels.as_ref()?.get(key).cloned().and_then(shared::filled);
    let named = at_an_end(&name);
    let destination = &app.spec.destination;
    let places = [&destination.namespace, &destination.name].map(|place| place.clone().and_then(shared::filled));

    let environment = named
        .as_ref()
        .map(|(_, environment)| (*environment).to_owned())
        .or_else(|| label("environment").or_else(|| label("env")))
        .or_else(|| places.iter().flatten().find_map(|place| anywhere(place)))
        .or_else(|| places.iter().flatten().next().cloned())
        .unwrap_or_else(|| NOWHERE.to_owned());
    let service = named.and_then(|(service, _)| service.map(str::to_owned)).or_else(|| label(PART_OF)).unwrap_or_else(|| name.clone());
    let foreign = app
        .metadata
        .namespace
        .as_ref()
        .filter(|namespace| app.status.controller_namespace.as_ref().is_some_and(|controller| controller != *namespace));
    Ok(Identity { app: foreign.map_or(name.clone(), |namespace| format!("{namespace}/{name}")), service, environment })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(app: serde_json::Value) -> (String, String, String) {
        let identity = of(&serde_json::from_value(app).expect("an application")).expect("it has a name");
        (identity.app, identity.service, identity.environment)
    }

    #[test]
    fn labels_namespaces_and_clusters_help_out() {
        use serde_json::json;
        let check = |app, expected: (&str, &str, &str)| {
            assert_eq!(identity(app), (expected.0.to_owned(), expected.1.to_owned(), expected.2.to_owned()));
        };
        check(
            json!({"metadata": {"name": "checkout-blue", "labels": {"app.kubernetes.io/part-of": "checkout"}},
                "spec": {"destination": {"namespace": "payments-prod"}}}),
            ("checkout-blue", "checkout", "prod"),
        );
        check(
            json!({"metadata": {"name": "checkout", "labels": {"env": "qa"}}, "spec": {"destination": {"namespace": "shop"}}}),
            ("checkout", "checkout", "qa"),
        );
        check(
            json!({"metadata": {"name": "checkout"}, "spec": {"destination": {"namespace": "shop", "name": "gke-prod-eu"}}}),
            ("checkout", "checkout", "prod-eu"),
        );
        check(json!({"metadata": {"name": "checkout"}, "spec": {"destination": {"namespace": "shop"}}}), ("checkout", "checkout", "shop"));
        check(json!({"metadata": {"name": "prod", "labels": {"app.kubernetes.io/part-of": "shop"}}}), ("prod", "shop", "prod"));
        check(
            json!({"metadata": {"name": "checkout-dev", "namespace": "team-a"}, "status": {"controllerNamespace": "argocd"}}),
            ("team-a/checkout-dev", "checkout", "dev"),
        );
        check(json!({"metadata": {"name": "checkout"}}), ("checkout", "checkout", "default"));
    }
}
