//! Which images the files of a configuration repository pin: Helm values, kustomizations, plain manifests. Pure functions of a
//! file's path and text; who reads the files is `git/manifests.rs`.

mod helm;
mod image;
mod kustomize;
mod place;
mod plain;
mod yaml;

pub(crate) use image::Image;
pub use place::environment_of;
use std::collections::BTreeMap;

/// A longer file is generated, or no manifest.
pub const LONGEST_FILE: usize = 1 << 20;
/// Names and tags longer than this are none.
const LONGEST_NAME: usize = 512;

/// An image as a file pins it. Neither tag nor digest: the file says several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// Its name without the tag, or, where the file names none, its place in the file: `.image`.
    pub image: String,
    pub tag: Option<String>,
    pub digest: Option<String>,
}

impl Pin {
    /// `None` where nothing is pinned.
    pub(crate) fn new(image: &str, tag: Option<&str>, digest: Option<&str>) -> Option<Pin> {
        // Some write the whole reference where the name belongs, or the digest behind the tag.
        let reference = Image::parse(image);
        let (tag, behind_tag) = match tag.and_then(|tag| tag.split_once('@')) {
            Some((tag, digest)) => (Some(tag), Some(digest)),
            None => (tag, None),
        };
        let tag = tag.or(reference.tag).filter(|tag| !tag.is_empty());
        let digest = digest.or(behind_tag).or(reference.digest).filter(|digest| !digest.is_empty());
        let digest = digest.map(|digest| if digest.contains(':') { digest.to_owned() } else { format!("sha256:{digest}") });
        let is_short = |text: &str| text.len() <= LONGEST_NAME;
        let is_pin = !reference.name.is_empty() && (tag.is_some() || digest.is_some());
        let is_plain = is_short(reference.name) && tag.is_none_or(is_short) && digest.as_deref().is_none_or(is_short);
        (is_pin && is_plain).then(|| Pin { image: reference.name.to_owned(), tag: tag.map(str::to_owned), digest })
    }
}

/// Whether a file of this name may pin images: YAML that is neither hidden nor the description of a chart or a developer's machine.
pub fn may_pin(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_yaml = path.ends_with(".yaml") || path.ends_with(".yml") || name == "Kustomization";
    let is_hidden = path.split('/').any(|part| part.starts_with('.'));
    let is_else = matches!(name, "Chart.yaml" | "Chart.lock") || name.starts_with("docker-compose") || name.starts_with("compose.");
    is_yaml && !is_hidden && !is_else
}

/// The images that a file pins, by name, each once.
pub fn pins(path: &str, text: &[u8]) -> Vec<Pin> {
    if text.len() > LONGEST_FILE {
        return Vec::new();
    }
    let Ok(text) = std::str::from_utf8(text) else { return Vec::new() };
    let found = yaml::documents(text).into_iter().flat_map(|document| {
        if kustomize::is_one(path, &document) {
            kustomize::pins(&document)
        } else if plain::is_one(&document) {
            plain::pins(&document)
        } else {
            helm::pins(&document)
        }
    });
    let mut by_image: BTreeMap<String, Pin> = BTreeMap::new();
    for pin in found {
        by_image
            .entry(pin.image.clone())
            .and_modify(|known| {
                if *known != pin {
                    (known.tag, known.digest) = (None, None);
                }
            })
            .or_insert(pin);
    }
    by_image.into_values().collect()
}

/// How the pins of a file changed: what it pins otherwise than before, and the images that it pins no more.
pub fn changes(before: &[Pin], after: &[Pin]) -> (Vec<Pin>, Vec<String>) {
    let set = after.iter().filter(|pin| !before.contains(pin)).cloned().collect();
    let gone = before.iter().filter(|pin| after.iter().all(|now| now.image != pin.image)).map(|pin| pin.image.clone()).collect();
    (set, gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned(path: &str, text: &str) -> Vec<String> {
        let told = |pin: Pin| format!("{} {} {}", pin.image, pin.tag.unwrap_or("-".into()), pin.digest.unwrap_or("-".into()));
        pins(path, text.as_bytes()).into_iter().map(told).collect()
    }

    #[test]
    fn values_of_charts() {
        for (text, expected) in [
            ("image:\n  repository: r.acme.io/shop/cart\n  tag: 1.10", vec!["r.acme.io/shop/cart 1.10 -"]),
            ("image:\n  registry: r.acme.io\n  repository: shop/cart\n  digest: sha256:ab", vec!["r.acme.io/shop/cart - sha256:ab"]),
            ("image:\n  tag: \"0123456\"", vec![".image 0123456 -"]),
            ("worker:\n  image: {tag: v2}\nimage: {tag: v1}", vec![".image v1 -", ".worker.image v2 -"]),
            ("api:\n  image: shop/api:3@sha256:cd", vec!["shop/api 3 sha256:cd"]),
            ("image: shop/api\nimageTag: 4", vec!["shop/api 4 -"]),
            ("cart:\n  repository: shop/cart\n  tag: 5", vec!["shop/cart 5 -"]),
            ("sidecars:\n  - name: proxy\n    image: {repository: proxy, tag: 9}", vec!["proxy 9 -"]),
            ("initImage:\n  name: shop/init\n  tag: 6", vec!["shop/init 6 -"]),
            ("image:\n  repository: shop/cart\n  sha: 77aa", vec!["shop/cart - sha256:77aa"]),
            ("image: {repository: shop/cart, tag: '1.0@sha256:ee'}", vec!["shop/cart 1.0 sha256:ee"]),
            ("image:\n  repository: shop/cart\n  tag: '{{ .Values.global.tag }}'", vec![]),
            ("image:\n  repository: shop/cart\n  tag: ''", vec![]),
            ("release:\n  tag: v1", vec![]),
            ("image: {tag: }", vec![]),
        ] {
            assert_eq!(pinned("cart/values.yaml", text), expected, "{text}");
        }
    }

    #[test]
    fn kustomizations() {
        let text = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../../base]\nimages:\n\
            - name: cart\n  newName: r.acme.io/shop/cart\n  newTag: 2.0.1\n- name: api\n  digest: sha256:ab\n- name: same\n  newName: other\n";
        assert_eq!(pinned("overlays/prod/kustomization.yaml", text), ["api - sha256:ab", "r.acme.io/shop/cart 2.0.1 -"]);
        assert_eq!(pinned("overlays/prod/all.yaml", text).len(), 2, "by its kind");
        let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec:\n  images:\n  - name: cart\n    newTag: 1\n";
        assert_eq!(pinned("apps/cart.yaml", flux), Vec::<String>::new());
    }

    #[test]
    fn manifests_as_they_are_applied() {
        let text = "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      initContainers:\n      - image: shop/migrate:3\n      \
            containers:\n      - name: cart\n        image: shop/cart:1\n      - image: placeholder\n---\n\
            apiVersion: batch/v1\nkind: CronJob\nspec: {jobTemplate: {spec: {template: {spec: {containers: [{image: 'shop/clean@sha256:aa'}]}}}}}\n";
        assert_eq!(pinned("prod/cart.yaml", text), ["shop/cart 1 -", "shop/clean - sha256:aa", "shop/migrate 3 -"]);
        let list = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  spec: {containers: [{image: 'a:1'}]}\n";
        assert_eq!(pinned("prod/list.yaml", list), ["a 1 -"]);
        let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec:\n  values:\n    image: {repository: a, tag: 2}\n";
        assert_eq!(pinned("prod/release.yaml", release), ["a 2 -"]);
    }

    #[test]
    fn one_image_twice_is_told_only_if_both_agree() {
        let pod = |tag: &str| format!("apiVersion: v1\nkind: Pod\nspec: {{containers: [{{image: 'a:{tag}'}}]}}\n");
        assert_eq!(pinned("x.yaml", &format!("{}---\n{}", pod("1"), pod("1"))), ["a 1 -"]);
        assert_eq!(pinned("x.yaml", &format!("{}---\n{}", pod("1"), pod("2"))), ["a - -"]);
    }

    #[test]
    fn what_changed_between_two_files() {
        let pin = |image: &str, tag: &str| Pin { image: image.into(), tag: Some(tag.into()), digest: None };
        let (set, gone) = changes(&[pin("a", "1"), pin("b", "1"), pin("c", "1")], &[pin("a", "1"), pin("b", "2"), pin("d", "1")]);
        assert_eq!((set, gone), (vec![pin("b", "2"), pin("d", "1")], vec!["c".to_owned()]));
    }

    #[test]
    fn which_files_are_looked_at() {
        for (path, looked_at) in [
            ("values.yaml", true),
            ("apps/cart/values-prod.yml", true),
            ("overlays/prod/Kustomization", true),
            (".gitlab-ci.yml", false),
            (".github/workflows/ci.yaml", false),
            ("docker-compose.yaml", false),
            ("charts/cart/Chart.yaml", false),
            ("README.md", false),
        ] {
            assert_eq!(may_pin(path), looked_at, "{path}");
        }
    }

    #[test]
    fn hostile_files_say_nothing() {
        for text in ["", "\0", "%YAML 9", "a: b: c", "- - - -", "? [a]\n: b", "!!binary x", "&a *a", "'"] {
            pins("values.yaml", text.as_bytes());
        }
        assert_eq!(pins("values.yaml", b"image: {tag: \xff}"), []);
        let long = format!("image: {{repository: a, tag: \"{}\"}}", "x".repeat(LONGEST_NAME + 1));
        assert_eq!(pins("values.yaml", long.as_bytes()), []);
        assert_eq!(pins("values.yaml", format!("image: {{tag: 1}}\n#{}", " ".repeat(LONGEST_FILE)).as_bytes()), []);
    }
}
