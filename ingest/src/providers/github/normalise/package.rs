//! Packages with a digest: images.

use super::super::payload::{Container, Manifest, PackageEvent};
use super::Rows;
use crate::providers::shared::{filled, need, sha};
use flowgauge_lake::model::{Artifact, Observation, repo_name};

pub fn package(event: PackageEvent) -> Rows {
    let package = need(event.package, "package")?;
    let version = need(package.package_version, "package.package_version")?;
    let container = version.container_metadata;
    let (tag, labels, manifest) = match container {
        Some(Container { tag, labels, manifest }) => (tag, labels, manifest),
        None => (None, None, None),
    };
    let named = [tag.as_ref().and_then(|tag| tag.digest.clone()), manifest.as_ref().and_then(|m| m.digest.clone()), version.version];
    let Some(digest) = named.into_iter().flatten().find(|digest| is_digest(digest)) else {
        return Ok(Vec::new());
    };
    let source = labels.as_ref().and_then(|labels| labels.source.clone()).and_then(filled);
    let repo = source.as_deref().and_then(repo_name).or_else(|| event.repository.and_then(|repository| repository.repo().ok()));
    let revision = labels.and_then(|labels| labels.revision);
    let image = version.package_url.and_then(filled).map(|address| without_tag(&address).to_owned());
    Ok(vec![Observation::new(Artifact {
        digest,
        name: image.or(package.name),
        version: tag.and_then(|tag| tag.name).and_then(filled),
        repo,
        source_sha: revision.as_deref().and_then(sha).or_else(|| version.target_oid.as_deref().and_then(sha)),
        published_at: version.created_at.or(package.updated_at),
        size_bytes: manifest.and_then(|manifest| manifest.size()),
        ..Artifact::default()
    })])
}

/// `algorithm:value`, as the OCI writes a digest.
fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(algorithm, value)| !algorithm.is_empty() && value.len() >= 32 && !value.contains(['/', ':']))
}

/// `ghcr.io/acme/checkout` of `ghcr.io/acme/checkout:1.4.0`; a port stays.
fn without_tag(address: &str) -> &str {
    match address.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => address,
    }
}

impl Manifest {
    /// The bytes of an image: its configuration and its layers. `None` if they are not listed.
    fn size(&self) -> Option<i64> {
        let layers = self.layers.as_ref()?;
        let sizes = layers.iter().chain(self.config.as_ref()).filter_map(|blob| blob.size);
        sizes.map(|size| size.max(0)).try_fold(0i64, i64::checked_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_its_name_without_the_tag() {
        assert_eq!(without_tag("ghcr.io/acme/checkout:1.4.0"), "ghcr.io/acme/checkout");
        assert_eq!(without_tag("registry.acme.io:5000/checkout"), "registry.acme.io:5000/checkout");
    }
}
