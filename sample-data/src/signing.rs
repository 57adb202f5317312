//! How each provider proves that a delivery is its own.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::Delivery;

/// Adds the header with which `hook` proves a delivery, made with `secret`.
pub fn sign(hook: &str, secret: &str, delivery: &mut Delivery) {
    let (name, value) = match hook {
        "github" => ("X-Hub-Signature-256", ["sha256=", &digest(secret, &delivery.body)].concat()),
        "gitlab" => ("X-Gitlab-Token", secret.to_owned()),
        "pagerduty" => ("X-PagerDuty-Signature", ["v1=", &digest(secret, &delivery.body)].concat()),
        _ => ("Authorization", ["Bearer ", secret].concat()),
    };
    delivery.headers.push((name.to_owned(), value));
}

fn digest(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length will do");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(hook: &'static str) -> (String, String) {
        let body = b"Hello, World!".to_vec();
        let mut delivery = Delivery { at: chrono::DateTime::UNIX_EPOCH, hook, headers: Vec::new(), body };
        sign(hook, "It's a Secret to Everybody", &mut delivery);
        delivery.headers.remove(0)
    }

    #[test]
    fn every_hook_has_its_proof() {
        // The vector that GitHub's documentation gives.
        let digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(signed("github"), ("X-Hub-Signature-256".to_owned(), format!("sha256={digest}")));
        assert_eq!(signed("pagerduty"), ("X-PagerDuty-Signature".to_owned(), format!("v1={digest}")));
        assert_eq!(signed("gitlab").0, "X-Gitlab-Token");
        assert_eq!(signed("argocd").1, "Bearer It's a Secret to Everybody");
    }
}
