//! A kustomization: `images` replaces the images of everything below it.

use super::Pin;
use super::yaml::Node;

pub(super) fn is_one(path: &str, node: &Node) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let kind = |key: &str| node.get(key).and_then(Node::text).unwrap_or_default();
    // A Flux Kustomization has the same kind and another group.
    matches!(name, "kustomization.yaml" | "kustomization.yml" | "Kustomization")
        || (matches!(kind("kind"), "Kustomization" | "Component") && kind("apiVersion").starts_with("kustomize.config.k8s.io/"))
}

pub(super) fn pins(node: &Node) -> Vec<Pin> {
    let images = node.get("images").map(Node::items).unwrap_or_default();
    images
        .iter()
        .filter_map(|image| {
            let text = |key: &str| image.get(key).and_then(Node::text);
            Pin::new(text("newName").or_else(|| text("name"))?, text("newTag"), text("digest"))
        })
        .collect()
}
