//! Objects as they are applied: the images of containers, and the values of a chart where an object holds such.

use super::yaml::Node;
use super::{Image, Pin, helm};

pub(super) fn is_one(node: &Node) -> bool {
    node.get("apiVersion").and_then(Node::text).is_some() && node.get("kind").and_then(Node::text).is_some()
}

pub(super) fn pins(node: &Node) -> Vec<Pin> {
    let mut pins = Vec::new();
    containers(node, &mut pins);
    // A release of a chart as an object has the chart's values in it.
    if node.get("kind").and_then(Node::text) == Some("HelmRelease")
        && let Some(values) = node.at(&["spec", "values"])
    {
        pins.extend(helm::pins(values));
    }
    pins
}

fn containers(node: &Node, pins: &mut Vec<Pin>) {
    for (key, value) in node.entries() {
        if matches!(key.as_str(), "containers" | "initContainers" | "ephemeralContainers") {
            let images = value.items().iter().filter_map(|container| container.get("image").and_then(Node::text));
            pins.extend(images.map(Image::parse).filter_map(|image| Pin::new(image.name, image.tag, image.digest)));
        } else {
            containers(value, pins);
        }
    }
    node.items().iter().for_each(|item| containers(item, pins));
}
