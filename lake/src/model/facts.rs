//! The fact tables (public schema): what follows from the entities. They hold instants and evidence, never today's verdict,
//! so that a question about any moment can be answered from them.

use super::table::table;
use super::{Cell, ColumnType, DeploymentClass, DeploymentKind, Evidence, Outcome, Phase, TableSpec, Tier, Time};

/// Why a deployment failed, and when that became known.
const FAILURE: ColumnType =
    ColumnType::Records(&[("reason", ColumnType::Text), ("at", ColumnType::Time), ("incident_id", ColumnType::Text)]);

/// The list in `deployment_facts.failures`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failures(pub Vec<(String, Time, Option<String>)>);

impl super::cell::Value for Failures {
    const TYPE: ColumnType = FAILURE;
    fn into_cell(self) -> Cell {
        let record = |(reason, at, incident): (String, Time, Option<String>)| {
            vec![Cell::Text(reason), Cell::Time(at), incident.map_or(Cell::Null, Cell::Text)]
        };
        Cell::Records(self.0.into_iter().map(record).collect())
    }
    fn from_cell(cell: &Cell) -> Option<Self> {
        let Cell::Records(records) = cell else { return None };
        let failure = |record: &Vec<Cell>| match record.as_slice() {
            [Cell::Text(reason), Cell::Time(at), incident] => Some((reason.clone(), *at, incident.as_text().map(str::to_owned))),
            _ => None,
        };
        records.iter().map(failure).collect::<Option<Vec<_>>>().map(Failures)
    }
}

table! {
    /// One deployment of one service to one environment, classified.
    DeploymentFact = "deployment_facts", by_source: true, {
        deployment_id: key String = "the provider's id",
        source: key String = "source of the row that tells it best",
        service: must String = "service",
        team: may String = "team that owns the service",
        environment: must String = "environment",
        tier: must Tier = "tier of the environment",
        version: may String = "version",
        repo: may String = "`host/path` of the source",
        sha: may String as sha = "source commit",
        digest: may String = "artifact",
        config_sha: may String as sha = "commit of the configuration",
        started_at: may Time = "start",
        finished_at: may Time = "end; null while it runs",
        outcome: may Outcome = "how it ended, or how far it is",
        kind: may DeploymentKind = "what it was; null while it runs",
        kind_reason: may String = "the rule that said so",
        took_effect: must bool = "whether what runs changed",
        counted: must bool = "whether it counts in deployment frequency (production, success, not no_op or config_only)",
        excluded_reason: may String = "why it does not count",
        previous_deployment_id: may String = "the deployment whose version it replaced",
        change_count: must i64 = "commits that it first brought to its environment",
        failures: must Failures = "why it counts as failed, and since when that is known",
        recovered_at: may Time = "when the failure was over",
        remediation_deployment_id: may String = "deployment that ended the failure, if one did",
        rework: must bool = "whether it was unplanned: rollback, hotfix, revert, or the fix of an incident",
        rework_at: may Time = "when that became known",
        change_set_id: may String = "shared by the deployments of one change",
        evidence: may Evidence = "what told us, the best of it",
        link_rule: must String = "how its commit was found: deployment_sha, artifact_digest, artifact_version, tag_is_commit, manifest_digest, manifest_tag, commit_trailer, none",
        link_confidence: may String = "exact, strong or convention",
        duplicates: may Vec<String> = "ids of other evidence of the same deployment",
        url: may String = "address of its page",
        class: may DeploymentClass = "what it was, more finely than its kind; null while it runs",
        class_reason: may String = "why it is of that class",
        suspected_duplicate_of: may Vec<String> = "ids of deployments that may be the same: other evidence of the service and environment within dedupe_window, without a common commit or artifact",
    }
}
table! {
    /// Every candidate for a deployment, once, with the class that decides whether it counts: deployments, rows that tell of one again,
    /// and operations of a GitOps controller that are none.
    LedgerEntry = "deployment_ledger", by_source: true, {
        deployment_id: key String = "the provider's id; `app@operation start` for an operation that is no deployment",
        source: key String = "source",
        service: may String = "service",
        team: may String = "team that owns the service",
        environment: may String = "environment",
        tier: may Tier = "tier of the environment",
        at: may Time = "end, else start",
        version: may String = "version",
        kind: may DeploymentKind = "kind of the deployment",
        outcome: may Outcome = "how it ended, or how far it is",
        evidence: may Evidence = "what told us",
        class: may DeploymentClass = "what it was; null while it runs",
        reason: may String = "why it is of that class",
        counted: must bool = "whether it counts as one in deployment frequency over all environments of production",
        excluded_reason: may String = "why it does not count",
        duplicate_of: may String = "the deployment that it tells of again",
        suspected_duplicate_of: may Vec<String> = "ids of deployments that may be the same, but have no commit or artifact in common",
        deployment_group: may String = "of one version over several environments: the deployment that finished first",
    }
}
table! {
    /// One reason why a deployment counts as failed, with what ended it.
    DeploymentFailure = "deployment_failures", by_source: true, {
        deployment_id: key String = "deployment that failed",
        source: key String = "its source",
        service: must String = "service",
        environment: must String = "environment",
        reason: key String = "incident, rollback, hotfix, revert, outcome, test, degraded",
        at: must Time = "when it became known",
        incident_id: key_or_null String = "incident, if that is the reason",
        resolved_at: may Time = "when the incident was over",
        remediation_deployment_id: may String = "deployment that ended it",
        remediated_at: may Time = "when that finished",
    }
}
table! {
    /// One commit as it first reached the production of a service (grain `service`) or one environment (grain `environment`);
    /// also one row for each deployment whose commits cannot be told, with the reason.
    ChangeFact = "change_facts", by_source: true, {
        grain: key String = "service or environment",
        service: key String = "service",
        team: may String = "team that owns the service",
        environment: key String = "environment (of the first row, where several are one deployment)",
        tier: must Tier = "tier of the environment",
        deployment_id: key String = "deployment that brought it",
        source: key String = "source of the deployment",
        repo: key_or_null String = "`host/path`",
        sha: key_or_null String as sha = "commit; null where the deployment is excluded as a whole",
        change_id: may String = "merge request it came with",
        started_at: may Time = "when its author wrote it",
        deployed_at: must Time = "when the deployment finished",
        lead_seconds: may f64 = "from the one to the other",
        excluded_reason: may String = "why it has no lead time",
        link_rule: must String = "how deployment and commit were linked: graph, commit_shas or squash",
        coding_seconds: may f64 = "from its author time to the change being ready for review; like all stages null where nothing tells its end, its time then is part of the next",
        pickup_seconds: may f64 = "to the first review",
        review_seconds: may f64 = "to the last approval",
        merge_wait_seconds: may f64 = "to the merge",
        build_seconds: may f64 = "to the artifact",
        promote_wait_seconds: may f64 = "to the commit of the configuration, or to the start of the deployment",
        sync_wait_seconds: may f64 = "to the start of the sync",
        deploy_seconds: may f64 = "to the end of the deployment",
    }
}
table! {
    /// One incident and the deployment it is charged to, once for each of its services.
    IncidentLink = "incident_links", by_source: true, {
        incident_id: key String = "incident",
        source: key String = "its source",
        service: key_or_null String = "service; null if it names none",
        team: may String = "team that owns the service",
        environment: may String = "environment it names",
        severity: may String = "as the source says it",
        started_at: must Time = "start of the impact",
        resolved_at: may Time = "over",
        deployment_id: may String = "deployment it is charged to",
        deployment_source: may String = "source of that deployment",
        deployment_service: may String = "service of that deployment",
        rule: must String = "caused_by_deployment, caused_by_sha, latest_deployment, or why there is none",
        lag_seconds: may f64 = "from the deployment's end to the incident's start",
        attributed: must bool = "whether it is charged to a deployment",
    }
}
table! {
    /// A stretch of time in which a GitOps application was in one state.
    DriftStretch = "drift_stretches", by_source: true, {
        app: key String = "application",
        source: key String = "source",
        service: may String = "service it runs",
        team: may String = "team that owns the service",
        environment: may String = "environment it runs in",
        tier: may Tier = "tier of the environment",
        class: must String = "synced, pending, blocked, converging, prune_pending, live_drift, non_converging, unobserved",
        from_at: key Time = "start",
        to_at: may Time = "end; null while it lasts",
    }
}
table! {
    /// A time during which the cluster differed from the revision it had been synced to.
    DriftEpisode = "drift_episodes", by_source: true, {
        app: key String = "application",
        source: key String = "source",
        service: may String = "service it runs",
        team: may String = "team that owns the service",
        environment: may String = "environment it runs in",
        tier: may Tier = "tier of the environment",
        class: must String = "live_drift or non_converging",
        started_at: key Time = "first seen",
        ended_at: may Time = "end; null while it lasts",
        ended_by: may String = "synced, overtaken, unobserved, another class",
        resolution_seconds: may f64 = "how late the start may have been seen: the gap to the look before",
        resources_max: may i64 = "most resources out of sync",
        hidden: key bool = "seen only through the self-heal that ended it",
    }
}
table! {
    /// One attempt of a pipeline run, measured.
    PipelineFact = "pipeline_facts", by_source: true, {
        run_id: key String = "the provider's id",
        attempt: key i64 = "1 for the first try",
        source: key String = "source",
        repo: may String = "`host/path`",
        pipeline: key String = "name of the pipeline",
        branch: may String = "branch or tag",
        is_default_branch: may bool = "whether that is the repository's default branch",
        result: may Outcome = "how it ended, or how far it is",
        seen_at: may Time = "its earliest moment",
        retried_at: may Time = "when it, or a job of it, was first tried again",
        started_at: may Time = "start",
        finished_at: may Time = "end",
        queue_seconds: may f64 = "from ready to run to its start",
        duration_seconds: may f64 = "time at work",
        active_seconds: may f64 = "time in which at least one of its jobs ran",
        template_ref: may String = "shared template it is built from",
        critical_path: may Vec<String> = "of a run that succeeded, the jobs it had to wait for, first to last",
        critical_path_seconds: may f64 = "how long these took together",
        red_from: may Time = "of a run that turned its default branch red, its end",
        red_to: may Time = "when the branch was green again; null while it is red",
    }
}

table! {
    /// What the tests of one suite said of a deployment: on its version before or beside it, and as checks after it.
    TestVerdict = "test_verdicts", by_source: true, {
        deployment_id: key String = "deployment",
        source: key String = "its source",
        service: must String = "service",
        team: may String = "team that owns the service",
        environment: must String = "environment",
        tier: must Tier = "tier of the environment",
        deployed_at: must Time = "when the deployment finished",
        suite: key String = "suite; empty where the results name none",
        phase: key Phase = "pipeline: results of the version before or beside the deployment; post_deploy: checks of the deployment itself",
        present: must bool = "whether there are results: false where the suite was needed and none came",
        passed: may bool = "whether the last result of each test was a success (in time, where it stands before the deployment)",
        before_deploy: must bool = "whether the results were there before the deployment started",
        false_result: may bool = "of checks that failed, whether every failure was a false one",
        at: may Time = "when the last of them was there",
    }
}
table! {
    /// One gate of one deployment: one that it showed, or one that it needed and did not show.
    GateFact = "gate_coverage", by_source: true, {
        deployment_id: key String = "deployment",
        source: key String = "its source",
        service: must String = "service",
        team: may String = "team that owns the service",
        environment: must String = "environment",
        tier: must Tier = "tier of the environment",
        deployed_at: must Time = "when the deployment finished",
        gate: key String = "`scan:<kind>`, `test:<suite>` or `approval:<kind>`",
        required: must bool = "whether it was needed: by the definitions, or as shown there in the 90 days before",
        present: must bool = "whether there is anything of it, in time or not",
        passed: may bool = "what it came to before the deployment started; null where nothing was there by then",
        before_deploy: must bool = "whether something was there before the deployment started",
        at: may Time = "when the last of it was there in time, else when the first came late",
    }
}

/// A fact table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactTable {
    Deployments,
    DeploymentLedger,
    DeploymentFailures,
    Changes,
    IncidentLinks,
    DriftStretches,
    DriftEpisodes,
    Pipelines,
    TestVerdicts,
    GateCoverage,
}

impl FactTable {
    pub const ALL: &'static [FactTable] = &[
        FactTable::Deployments,
        FactTable::DeploymentLedger,
        FactTable::DeploymentFailures,
        FactTable::Changes,
        FactTable::IncidentLinks,
        FactTable::DriftStretches,
        FactTable::DriftEpisodes,
        FactTable::Pipelines,
        FactTable::TestVerdicts,
        FactTable::GateCoverage,
    ];

    pub const fn spec(self) -> &'static TableSpec {
        match self {
            FactTable::Deployments => &DeploymentFact::SPEC,
            FactTable::DeploymentLedger => &LedgerEntry::SPEC,
            FactTable::DeploymentFailures => &DeploymentFailure::SPEC,
            FactTable::Changes => &ChangeFact::SPEC,
            FactTable::IncidentLinks => &IncidentLink::SPEC,
            FactTable::DriftStretches => &DriftStretch::SPEC,
            FactTable::DriftEpisodes => &DriftEpisode::SPEC,
            FactTable::Pipelines => &PipelineFact::SPEC,
            FactTable::TestVerdicts => &TestVerdict::SPEC,
            FactTable::GateCoverage => &GateFact::SPEC,
        }
    }

    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// The moment by whose month the table is partitioned: when the thing was over, else when it began.
    pub fn month_of(self, cells: &[Cell]) -> String {
        let columns: &[&str] = match self {
            FactTable::Deployments => &["finished_at", "started_at"],
            FactTable::DeploymentFailures | FactTable::DeploymentLedger => &["at"],
            FactTable::Changes => &["deployed_at"],
            FactTable::IncidentLinks => &["started_at"],
            FactTable::DriftStretches => &["from_at"],
            FactTable::DriftEpisodes => &["started_at"],
            FactTable::Pipelines => &["finished_at", "seen_at"],
            FactTable::TestVerdicts | FactTable::GateCoverage => &["deployed_at"],
        };
        let at = columns.iter().filter_map(|name| self.spec().column(name)).find_map(|i| match cells[i] {
            Cell::Time(at) => Some(at),
            _ => None,
        });
        at.map_or_else(|| "none".to_owned(), Time::month)
    }
}
