//! Which of several forms a client wants: the `Accept` header (RFC 9110, 12.5.1).

use axum::http::{HeaderMap, header};

/// The media type among `offers` that is wanted most; of equals the first.
pub fn preferred<'a>(headers: &HeaderMap, offers: &[&'a str]) -> &'a str {
    let ranges: Vec<(&str, f32)> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(range)
        .collect();
    let mut best = (offers[0], if ranges.is_empty() { 1.0 } else { quality(&ranges, offers[0]) });
    for offer in &offers[1..] {
        let quality = quality(&ranges, offer);
        if quality > best.1 {
            best = (offer, quality);
        }
    }
    best.0
}

/// A media range and its weight. Other parameters do not tell our forms apart.
fn range(text: &str) -> (&str, f32) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=")?.trim().parse().ok());
    (name, weight.unwrap_or(1.0))
}

/// The weight of the most exact range that matches.
fn quality(ranges: &[(&str, f32)], offer: &str) -> f32 {
    let of_type = offer.split('/').next().unwrap_or_default();
    let exactness = |name: &str| match name.split_once('/') {
        _ if name.eq_ignore_ascii_case(offer) => 3,
        Some((kind, "*")) if kind.eq_ignore_ascii_case(of_type) => 2,
        Some(("*", "*")) => 1,
        _ => 0,
    };
    let mut best = (0, 0.0_f32);
    for (name, weight) in ranges {
        let exactness = exactness(name);
        if exactness > best.0 || (exactness == best.0 && exactness > 0 && *weight > best.1) {
            best = (exactness, *weight);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_wanted_most() {
        let offers = ["text/plain", "application/openmetrics-text"];
        for (accept, wanted) in [
            (None, "text/plain"),
            (Some("*/*"), "text/plain"),
            (Some("text/html,application/xhtml+xml,*/*;q=0.8"), "text/plain"),
            (Some("application/openmetrics-text"), "application/openmetrics-text"),
            (
                Some(
                    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                ),
                "application/openmetrics-text",
            ),
            (Some("application/openmetrics-text;q=0.2,text/plain;q=0.7"), "text/plain"),
            (Some("application/openmetrics-text;q=0"), "text/plain"),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(preferred(&headers, &offers), wanted, "{accept:?}");
        }
    }
}
