//! Values of a chart. Charts name their values as they like; what most of them do is read: a map with `tag` or `digest` that is
//! called an image or names a repository, `image` as a whole reference, and `imageTag` beside it.

use super::yaml::Node;
use super::{Image, Pin};

pub(super) fn pins(node: &Node) -> Vec<Pin> {
    let mut pins = Vec::new();
    walk(node, &mut Vec::new(), &mut pins);
    pins
}

fn walk<'n>(node: &'n Node, place: &mut Vec<&'n str>, pins: &mut Vec<Pin>) {
    pins.extend(pin(node, place));
    for (key, value) in node.entries() {
        place.push(key);
        walk(value, place, pins);
        place.pop();
    }
    for item in node.items() {
        walk(item, place, pins);
    }
}

fn pin(node: &Node, place: &[&str]) -> Option<Pin> {
    let text = |key: &str| node.get(key).and_then(Node::text);
    let is_image = place.last().is_some_and(|key| key.to_lowercase().ends_with("image"));
    let named = text("repository").or_else(|| if is_image { text("name") } else { None });
    if (is_image || named.is_some()) && (text("tag").is_some() || text("digest").is_some() || text("sha").is_some()) {
        let name = match (text("registry"), named) {
            (Some(registry), Some(name)) => format!("{registry}/{name}"),
            (_, Some(name)) => name.to_owned(),
            (_, None) => unnamed(place),
        };
        return Pin::new(&name, text("tag"), text("digest").or_else(|| text("sha")));
    }
    let image = text("image").map(Image::parse);
    if let Some(tag) = text("imageTag") {
        return Pin::new(&image.map_or_else(|| unnamed(place), |image| image.name.to_owned()), Some(tag), text("imageDigest"));
    }
    image.and_then(|image| Pin::new(image.name, image.tag, image.digest))
}

/// An image that the file does not name: its place in the file, `.worker.image`. The name stands in another file.
fn unnamed(place: &[&str]) -> String {
    if place.is_empty() { ".image".to_owned() } else { format!(".{}", place.join(".")) }
}
