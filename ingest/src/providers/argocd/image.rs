//! What runs, out of the images of an application's pods: several of them, sidecars among them, and for a while old beside new.

use crate::manifests::Image;

/// What one service runs, as far as its images tell.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Artifact {
    pub version: Option<String>,
    pub digest: Option<String>,
}

/// The version and digest of the service's own image: the one named like the service, else the only one whose name holds the
/// service's, else the only one there is. Two versions of it at once (pods of before, a job of last week) tell nothing, unless one
/// of them is the version of the chart that was synced.
pub(super) fn artifact(images: &[String], service: &str, revisions: &[String]) -> Artifact {
    let images: Vec<Image> = images.iter().map(|image| Image::parse(image)).collect();
    let mut names: Vec<&str> = images.iter().map(|image| image.name).collect();
    names.sort_unstable();
    names.dedup();
    let only = |names: Vec<&str>| if let [only] = names[..] { Some(only.to_owned()) } else { None };
    let last = |name: &str| name.rsplit('/').next().unwrap_or(name).to_lowercase();
    let service = service.to_lowercase();
    let own = only(names.iter().copied().filter(|name| last(name) == service).collect())
        .or_else(|| only(names.iter().copied().filter(|name| holds(&last(name), &service)).collect()))
        .or_else(|| only(names.clone()));
    let Some(own) = own else { return Artifact::default() };

    let single = |mut values: Vec<&str>| {
        values.sort_unstable();
        values.dedup();
        only(values)
    };
    let mut own: Vec<&Image> = images.iter().filter(|image| image.name == own).collect();
    let is_synced = |image: &&Image| image.tag.is_some_and(|tag| revisions.iter().any(|revision| revision == tag));
    if own.iter().any(is_synced) {
        own.retain(is_synced);
    }
    Artifact {
        version: single(own.iter().filter_map(|image| image.tag).collect()),
        digest: single(own.iter().filter_map(|image| image.digest).collect()),
    }
}

/// Whether `name` holds `word` between its ends or dashes.
fn holds(name: &str, word: &str) -> bool {
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    name.match_indices(word).any(|(at, _)| is_edge(name[..at].chars().next_back()) && is_edge(name[at + word.len()..].chars().next()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(images: &[&str]) -> (Option<String>, Option<String>) {
        let images: Vec<String> = images.iter().map(|image| (*image).to_owned()).collect();
        let artifact = artifact(&images, "cart", &["1.7".to_owned()]);
        (artifact.version, artifact.digest)
    }

    fn version(images: &[&str]) -> Option<String> {
        told(images).0
    }

    #[test]
    fn the_services_own_image_is_found() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(version(&["registry.acme.io:5000/shop/cart:1.4-0a1b2c3"]), some("1.4-0a1b2c3"));
        assert_eq!(version(&["docker.io/istio/proxyv2:1.22", "registry.acme.io/shop/cart:1.4"]), some("1.4"));
        assert_eq!(version(&["docker.io/istio/proxyv2:1.22", "registry.acme.io/shop/cart-api:1.5"]), some("1.5"));
        assert_eq!(version(&["registry.acme.io/shop/basket:1.6"]), some("1.6"));
        assert_eq!(told(&["registry.acme.io:5000/shop/cart@sha256:ab"]), (None, some("sha256:ab")));
        assert_eq!(version(&["shop/cart:1.6", "shop/cart:1.7"]), some("1.7"));
        assert_eq!(told(&["registry.acme.io/shop/cart:1.4@sha256:ab"]), (some("1.4"), some("sha256:ab")));
    }

    #[test]
    fn what_is_not_clear_is_not_told() {
        assert_eq!(version(&[]), None);
        assert_eq!(version(&["shop/cart:1.4", "shop/cart:1.5"]), None);
        assert_eq!(version(&["shop/cart-api:1.4", "shop/cart-web:1.4"]), None);
        assert_eq!(version(&["shop/cartoon:1.4", "shop/basket:1.4"]), None);
        assert_eq!(version(&["", ":", "@", "/:@"]), None);
    }
}
