//! The environment that a file's path tells: `overlays/prod/kustomization.yaml`, `cart/values-qa.yaml`, `envs/blue/cart.yaml`.

use crate::environments::{anywhere, at_an_end};

/// Folders whose folders are environments, whatever they are called.
const HOLDERS: &[&str] = &["overlays", "overlay", "envs", "env", "environments", "environment", "stages"];
/// What stands beside environments and is none.
const SHARED: &[&str] = &["base", "bases", "common", "shared", "default", "components"];

/// The environment's name as the path writes it. `None`: for all of them, or no saying.
pub fn environment_of(path: &str) -> Option<String> {
    let (folders, file) = path.rsplit_once('/').unwrap_or(("", path));
    let folders: Vec<&str> = folders.split('/').filter(|folder| !folder.is_empty()).collect();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let of_values = stem.strip_prefix("values").and_then(|rest| rest.strip_prefix(['-', '.', '_'])).or_else(|| {
        let before = stem.strip_suffix("values")?;
        before.strip_suffix(['-', '.', '_'])
    });
    let is_holder = |folder: &str| HOLDERS.contains(&folder.to_lowercase().as_str());
    let in_holder = || {
        let holder = folders.iter().rposition(|folder| is_holder(folder))?;
        let held = folders.get(holder + 1).copied().unwrap_or(stem);
        if SHARED.contains(&held.to_lowercase().as_str()) || held == "kustomization" || held == "values" {
            return None;
        }
        Some(anywhere(held).unwrap_or_else(|| held.to_owned()))
    };
    of_values
        .and_then(anywhere)
        .or_else(|| whole(stem))
        .or_else(in_holder)
        .or_else(|| folders.iter().rev().find_map(|folder| at_the_end(folder)))
        .or_else(|| at_the_end(stem))
}

fn whole(name: &str) -> Option<String> {
    at_an_end(name).filter(|(service, _)| service.is_none()).map(|(_, environment)| environment.to_owned())
}

/// `cart-prod`, not `test-helpers`.
fn at_the_end(name: &str) -> Option<String> {
    at_an_end(name).filter(|(_, environment)| name.ends_with(environment)).map(|(_, environment)| environment.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environments_by_path() {
        for (path, environment) in [
            ("overlays/prod/kustomization.yaml", Some("prod")),
            ("apps/cart/overlays/prod-eu/kustomization.yaml", Some("prod-eu")),
            ("apps/cart/overlays/blue/kustomization.yaml", Some("blue")),
            ("apps/cart/base/kustomization.yaml", None),
            ("apps/cart/overlays/base/kustomization.yaml", None),
            ("charts/cart/values.yaml", None),
            ("charts/cart/values-prod.yaml", Some("prod")),
            ("charts/cart/values.qa.yaml", Some("qa")),
            ("charts/cart/prod-values.yaml", Some("prod")),
            ("charts/cart/values-cart-dev.yaml", Some("dev")),
            ("charts/cart/values-small.yaml", None),
            ("envs/prod/cart/values.yaml", Some("prod")),
            ("envs/prod.yaml", Some("prod")),
            ("environments/eu-1/cart.yaml", Some("eu-1")),
            ("prod/cart.yaml", Some("prod")),
            ("clusters/gke-prod-eu/cart.yaml", Some("prod-eu")),
            ("cart/prod.yaml", Some("prod")),
            ("cart-prod/deployment.yaml", Some("prod")),
            ("envs/qa/live-video/values.yaml", Some("qa")),
            ("dev-tools/deployment.yaml", None),
            ("cart/test-job.yaml", None),
            ("deployment.yaml", None),
        ] {
            assert_eq!(environment_of(path).as_deref(), environment, "{path}");
        }
    }
}
