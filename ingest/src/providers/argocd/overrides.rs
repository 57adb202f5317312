//! Images that an application sets itself, in place of what the files of its configuration say: what an image updater writes, or a
//! person in a hurry.

use crate::manifests::{Pin, pins};
use serde_json::Value;

/// The images that a source of an application sets: Kustomize's `images`, Helm's `parameters`, `valuesObject` and `values`. Of
/// what Helm is told twice, the parameter wins, then the object, as there.
pub(super) fn of(source: &Value) -> Vec<Pin> {
    let mut found: Vec<Pin> = texts(source, "/kustomize/images").filter_map(kustomized).collect();
    found.extend(parameters(source));
    if let Some(values) = source.pointer("/helm/valuesObject").filter(|values| values.is_object()) {
        // JSON is YAML.
        found.extend(pins("values.yaml", values.to_string().as_bytes()));
    } else if let Some(values) = source.pointer("/helm/values").and_then(Value::as_str) {
        found.extend(pins("values.yaml", values.as_bytes()));
    }
    let mut first: Vec<Pin> = Vec::new();
    for pin in found {
        if first.iter().all(|known| known.image != pin.image) {
            first.push(pin);
        }
    }
    first
}

fn texts<'v>(source: &'v Value, place: &str) -> impl Iterator<Item = &'v str> {
    source.pointer(place).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// `cart=registry/shop/cart:1.4`, or without a name of before.
fn kustomized(text: &str) -> Option<Pin> {
    let image = text.split_once('=').map_or(text, |(_, image)| image);
    Pin::new(image, None, None)
}

/// `image.tag`, `worker.image.digest`: of one image both.
fn parameters(source: &Value) -> Vec<Pin> {
    let list = source.pointer("/helm/parameters").and_then(Value::as_array).into_iter().flatten();
    let mut found: Vec<Pin> = Vec::new();
    for parameter in list {
        let text = |key: &str| parameter.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let Some(((place, key), value)) = text("name").and_then(|name| name.rsplit_once('.')).zip(text("value")) else { continue };
        let of_image = |key: &str| place.to_lowercase().ends_with("image") && matches!(key, "tag" | "digest");
        let set = if key == "tag" { (Some(value), None) } else { (None, Some(value)) };
        let Some(pin) = Some(key).filter(|key| of_image(key)).and_then(|_| Pin::new(&format!(".{place}"), set.0, set.1)) else { continue };
        match found.iter_mut().find(|known| known.image == pin.image) {
            Some(known) => {
                known.tag = pin.tag.or(known.tag.take());
                known.digest = pin.digest.or(known.digest.take());
            }
            None => found.push(pin),
        }
    }
    found
}

/// The images of a service among these, as references. One that is known by its place only is the service's.
pub(super) fn references(pins: &[Pin], service: &str) -> Vec<String> {
    let service = service.to_lowercase();
    let is_own = |pin: &&Pin| {
        let name = pin.image.to_lowercase();
        let is_placed = name.starts_with('.') && name.split('.').any(|key| key == service);
        name == ".image" || is_placed || name.rsplit('/').next() == Some(service.as_str())
    };
    let reference = |pin: &Pin| {
        let tag = pin.tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = pin.digest.as_ref().map(|digest| format!("@{digest}")).unwrap_or_default();
        format!("{service}{tag}{digest}")
    };
    pins.iter().filter(is_own).map(reference).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_an_application_sets_itself() {
        for (source, expected) in [
            (json!({"kustomize": {"images": ["cart=r.acme.io/shop/cart:1.4", "proxy:2"]}}), vec!["cart:1.4"]),
            (
                json!({"helm": {"parameters": [{"name": "image.tag", "value": "1.4"}, {"name": "replicas", "value": "3"}]}}),
                vec!["cart:1.4"],
            ),
            (
                json!({"helm": {"parameters": [{"name": "cart.image.tag", "value": "1.4"}, {"name": "cart.image.digest", "value": "sha256:ab"}]}}),
                vec!["cart:1.4@sha256:ab"],
            ),
            (json!({"helm": {"parameters": [{"name": "worker.image.tag", "value": "1.4"}]}}), vec![]),
            (json!({"helm": {"valuesObject": {"image": {"repository": "shop/cart", "tag": "1.5"}}}}), vec!["cart:1.5"]),
            (json!({"helm": {"values": "image:\n  tag: 1.60\n"}}), vec!["cart:1.60"]),
            (json!({"helm": {"parameters": [{"name": "image.tag", "value": "2"}], "values": "image:\n  tag: 1\n"}}), vec!["cart:2"]),
            (json!({"helm": {"values": 7, "parameters": {}}, "kustomize": {"images": [7, "=", ""]}}), vec![]),
            (json!({}), vec![]),
        ] {
            assert_eq!(references(&of(&source), "Cart"), expected, "{source}");
        }
    }
}
