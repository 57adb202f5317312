//! References of images, as manifests and pods name them.

/// `registry:5000/shop/cart:1.4@sha256:…`, taken apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Image<'a> {
    pub name: &'a str,
    pub tag: Option<&'a str>,
    pub digest: Option<&'a str>,
}

impl Image<'_> {
    /// A colon before the last slash belongs to the registry.
    pub fn parse(image: &str) -> Image<'_> {
        let (rest, digest) = match image.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (image, None),
        };
        let path = rest.rfind('/').map_or(0, |slash| slash + 1);
        match rest[path..].rfind(':') {
            Some(colon) => Image { name: &rest[..path + colon], tag: Some(&rest[path + colon + 1..]), digest },
            None => Image { name: rest, tag: None, digest },
        }
    }
}
