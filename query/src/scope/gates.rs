//! Gates: what each deployment needed, and what there was to show for it.

use super::{Builder, ScopeRow, Subject};
use crate::facts::changes::{Logical, fan_out};
use crate::facts::gates::{Gated, Gates, lookback, required};
use std::sync::Arc;

impl<'a> Builder<'a> {
    /// One row for each gate that a logical deployment needed (semantics, 7.60).
    pub(super) fn gates(&mut self) {
        let facts = self.facts;
        let names = &facts.definitions.required_gates;
        let defined: Vec<Arc<str>> = names.iter().map(|name| name.as_str().into()).collect();
        let since = self.question.from.plus_seconds(-lookback(names));
        let mut gates = Gates::new(facts, self.question.as_of);
        for (service, of) in self.services() {
            self.connect(service, of);
            let all = &of.deployments;
            let rows = self.counted_rows(all).into_iter().filter(|&i| all[i].is_release()).collect();
            let mut deployments: Vec<(Vec<String>, Logical, Gated<'a>)> = Vec::new();
            for ((key, _), rows) in self.by_series(service, all, rows) {
                for group in fan_out(all, rows.into_iter(), &facts.definitions) {
                    let finish = group.0.last().and_then(|&i| all[i].finished_at());
                    if finish >= Some(since)
                        && let Some(gated) = gates.of(service, of, &group.0)
                    {
                        deployments.push((key.clone(), group, gated));
                    }
                }
            }
            deployments.sort_by_key(|(_, _, gated)| gated.finish);
            let needed = required(&deployments.iter().map(|(_, _, gated)| gated).collect::<Vec<_>>(), &defined);
            for ((key, group, gated), needed) in deployments.iter().zip(needed) {
                let Some(bucket) = self.bucket(gated.finish) else { continue };
                let rows = || group.0.iter().map(|&i| Subject::deployment(&all[i]));
                if needed.is_empty() {
                    let row = ScopeRow { what: "excluded", bucket: Some(bucket), reason: Some("no_gate"), ..ScopeRow::default() };
                    self.push(key, row, || rows().collect());
                    continue;
                }
                let id = self.next_number();
                for gate in needed {
                    let shown = gated.gates.get(&gate);
                    let row = ScopeRow {
                        what: "gate",
                        bucket: Some(bucket),
                        id: Some(id),
                        at: Some(gated.start),
                        since: shown.map(|shown| shown.first_at),
                        is_passed: shown.and_then(|shown| shown.is_passed),
                        name: Some(gate),
                        ..ScopeRow::default()
                    };
                    self.push(key, row, || {
                        let evidence = shown.iter().flat_map(|shown| &shown.evidence).map(Subject::of_evidence);
                        rows().chain(evidence).collect()
                    });
                }
            }
        }
    }
}
