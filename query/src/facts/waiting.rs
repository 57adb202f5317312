//! What a promoted version waited for, second by second (semantics 1.7): each moment between its arrival below and its arrival above
//! belongs to the first reason that holds, so that the reasons sum to the whole.

use super::failures::Spot;
use super::{Facts, ServiceFacts};
use flowgauge_lake::model::{Approval, ApprovalKind, Deployment, Time};

/// The reasons, the strongest first; what none of them explains is `idle`.
pub const REASONS: [&str; 6] = ["sync", "approval", "gate", "tests", "queue", "idle"];

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waiting {
    pub reason: &'static str,
    pub seconds: f64,
}

type Span = (Time, Time);

/// The waiting of the version that succeeded with `from` and later with `to`: indices into a service's deployments.
pub fn waiting(service: &str, of: &ServiceFacts, from: usize, to: usize, facts: &Facts, as_of: Time) -> [Waiting; 6] {
    let (lower, upper) = (&of.deployments[from], &of.deployments[to]);
    let (start, end) = (lower.finished_at().unwrap_or_default(), upper.finished_at().unwrap_or_default());
    let spot = |index| Spot { service: service.to_owned(), index };
    let above = spot(to);
    let named = facts.approvals.of_deployment(&above).map(|approved| &approved.approval);
    let for_place = facts.approvals.of_service(service).map(|approved| &approved.approval).filter(|approval| is_for(approval, &upper.row));
    let (gate, approval): (Vec<&Approval>, Vec<&Approval>) =
        named.chain(for_place).partition(|approval| approval.kind == ApprovalKind::Release);
    let asked = |approvals: Vec<&Approval>| approvals.into_iter().filter_map(|it| it.requested_at.zip(it.decided_at)).collect();
    let below = spot(from);
    let checks = facts.checks.of_deployment(&below).filter(|check| check.bound(facts, as_of).is_some_and(|(spot, _)| *spot == below));
    let reasons: [Vec<Span>; 5] = [
        upper.row.started_at.zip(upper.finished_at()).into_iter().collect(),
        asked(approval),
        asked(gate),
        checks.filter_map(|check| check.at.zip(check.test.finished_at())).collect(),
        upper.row.created_at.zip(upper.row.started_at).into_iter().collect(),
    ];
    let seconds = split((start, end), &reasons);
    std::array::from_fn(|i| Waiting { reason: REASONS[i], seconds: seconds[i] })
}

/// Whether an approval that names a service is for this deployment of it: of an environment for that environment, of a release for any
/// that it does not name otherwise, and for any version that it does not name otherwise.
fn is_for(approval: &Approval, row: &Deployment) -> bool {
    let version = approval.version.is_none() || approval.version == row.version;
    let environment = match (approval.kind, &approval.environment) {
        (ApprovalKind::Release, None) => true,
        (_, environment) => environment.as_deref() == Some(row.environment.as_str()),
    };
    version && environment
}

/// How many seconds of a whole belong to each of five sets of spans, the first that covers a moment; the sixth is what none covers.
fn split(whole: Span, reasons: &[Vec<Span>; 5]) -> [f64; 6] {
    let clip = |&(from, to): &Span| (from.max(whole.0), to.min(whole.1));
    let clipped: Vec<Vec<Span>> = reasons.iter().map(|spans| spans.iter().map(clip).filter(|(from, to)| from < to).collect()).collect();
    let mut cuts: Vec<Time> = clipped.iter().flatten().flat_map(|(from, to)| [*from, *to]).chain([whole.0, whole.1]).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut seconds = [0.0; 6];
    for pair in cuts.windows(2).filter(|pair| pair[1] <= whole.1) {
        let covers = |spans: &Vec<Span>| spans.iter().any(|(from, to)| *from <= pair[0] && pair[1] <= *to);
        seconds[clipped.iter().position(covers).unwrap_or(5)] += pair[1].seconds_since(pair[0]);
    }
    seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_share_the_whole() {
        let at = |minute: i64| Time::from_seconds(60 * minute);
        let span = |from: i64, to: i64| (at(from), at(to));
        // An hour: approved from 10 to 30, tests from 0 to 20 (10 of it before the approval), queued from 30 to 45, synced from 45 to 60.
        let reasons = [vec![span(45, 60)], vec![span(10, 30)], vec![], vec![span(-5, 20)], vec![span(30, 45)]];
        assert_eq!(split(span(0, 60), &reasons), [900.0, 1200.0, 0.0, 600.0, 900.0, 0.0]);
        assert_eq!(split(span(0, 60), &[vec![], vec![span(20, 90)], vec![], vec![], vec![]]), [0.0, 2400.0, 0.0, 0.0, 0.0, 1200.0]);
        assert_eq!(split(span(0, 0), &reasons), [0.0; 6]);
    }
}
