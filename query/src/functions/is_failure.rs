//! `is_failure(reason, rule)`: whether a reason makes a deployment failed under a definition (semantics, 1.3 and 2.2).

pub fn is_failure(reason: &str, rule: &str) -> bool {
    match rule {
        "deployments" | "joins" => reason == "incident",
        "rollbacks" => matches!(reason, "rollback" | "hotfix" | "revert"),
        "incidents" => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_rule_has_its_reasons() {
        let reasons = ["incident", "rollback", "hotfix", "revert", "outcome", "test", "degraded", "verdict"];
        let counted = |rule| reasons.iter().filter(|reason| super::is_failure(reason, rule)).count();
        assert_eq!(["failed", "deployments", "joins", "rollbacks", "incidents"].map(counted), [8, 1, 1, 3, 0]);
    }
}
