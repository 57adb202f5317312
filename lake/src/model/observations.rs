//! The observation tables (public schema): what providers say, in our words. One struct a table, and one enum over them,
//! so that a new table is a compile error wherever it matters.

use super::table::table;
use super::{ApprovalKind, Cell, DeploymentKind, Evidence, Gate, Outcome, Phase, RunKind, ScanKind, SyncStatus, TableSpec, Time};

table! {
    /// What is measured: a service, the team that owns it and where its code lives.
    Service = "services", by_source: false, {
        service: key String = "name of the service",
        team: may String = "the team that owns it",
        repo: may String = "`host/path` of its repository",
        path_globs: may Vec<String> = "paths of the repository that belong to it (monorepo); null means all",
        ladder: may Vec<String> = "its environments from the lowest to the highest",
        tags: may Vec<String> = "free words",
    }
}
table! {
    /// A commit of a repository, with its place in the graph.
    Commit = "commits", by_source: false, {
        repo: key String = "`host/path`, lower-case host",
        sha: key String as sha = "commit id",
        parents: may Vec<String> as shas = "parent commits; null means unknown, an empty list means a root",
        authored_at: may Time = "when its author wrote it",
        committed_at: may Time = "when it was committed as it is",
        pushed_at: may Time = "when it reached the server",
        branch: may String = "branch it was pushed to",
        author: may String = "pseudonym of the author",
        author_is_bot: may bool = "whether the author is a bot",
        message: may String = "commit message",
        files: may Vec<String> = "paths that it touches; null means unknown",
    }
}
table! {
    /// An image that a commit of a configuration repository pins in a file otherwise than its first parent did; at the first
    /// commit that is known, every image.
    Manifest = "manifests", by_source: false, {
        repo: key String = "`host/path` of the configuration",
        sha: key String as sha = "commit that changed it",
        path: key String = "file",
        image: key String = "name without the tag or, where the file names none, its place in the file, `.image`",
        tag: may String = "tag; with neither tag nor digest the file pins several of that name",
        digest: may String = "digest",
        environment: may String = "environment that the path tells; null means none, or all",
        removed: may bool = "whether the file pins it no more",
        committed_at: may Time = "when the commit was made",
    }
}
table! {
    /// One movement of a branch or tag.
    Push = "pushes", by_source: true, {
        repo: key String = "`host/path`",
        r#ref: key String = "full ref, `refs/heads/main`",
        after: key String as sha = "commit the ref points to now",
        before: may String as sha = "commit it pointed to before",
        commit_shas: may Vec<String> as shas = "commits that came with it, oldest first",
        complete: may bool = "whether the list of commits is whole",
        forced: may bool = "whether history was rewritten",
        pushed_at: may Time = "when",
    }
}
table! {
    /// A merge or pull request.
    Change = "changes", by_source: false, {
        repo: key String = "`host/path` of the target",
        change_id: key String = "its number within the repository",
        title: may String = "title",
        author: may String = "pseudonym of the author",
        author_is_bot: may bool = "whether the author is a bot",
        labels: may Vec<String> = "labels",
        source_branch: may String = "branch it comes from",
        target_branch: may String = "branch it goes to",
        opened_at: may Time = "opened",
        ready_at: may Time = "ready for review (not a draft any more)",
        first_review_at: may Time = "first review by another person",
        approved_at: may Time = "last approval before the merge",
        merged_at: may Time = "merged",
        closed_at: may Time = "closed without a merge",
        merge_sha: may String as sha = "commit on the target branch that landed it",
        merge_method: may String = "merge, squash or rebase",
        commit_shas: may Vec<String> as shas = "its own commits before they landed",
        additions: may i64 = "lines added",
        deletions: may i64 = "lines removed",
        files_changed: may i64 = "files touched",
        url: may String = "address of its page",
    }
}
table! {
    /// Something built: an image, a package.
    Artifact = "artifacts", by_source: false, {
        digest: key String = "content digest, `sha256:…`",
        name: may String = "name without the version",
        version: may String = "tag or version",
        repo: may String = "`host/path` of the source",
        source_sha: may String as sha = "commit it was built from",
        run_id: may String = "run that built it",
        published_at: may Time = "published",
        base_image: may String = "image it builds on",
        size_bytes: may i64 = "size",
        signed: may bool = "whether it is signed",
    }
}
table! {
    /// One attempt of a pipeline.
    PipelineRun = "pipeline_runs", by_source: true, {
        pipeline: key String = "name of the pipeline",
        run_id: key String = "the provider's id",
        attempt: key i64 = "1 for the first try",
        repo: may String = "`host/path`",
        branch: may String = "branch or tag",
        is_default_branch: may bool = "whether that is the default branch",
        sha: may String as sha = "commit it ran on",
        trigger: may String = "push, merge_request, schedule, manual …",
        change_id: may String = "merge request it ran for",
        created_at: may Time = "created",
        queued_at: may Time = "ready to run",
        started_at: may Time = "started",
        finished_at: may Time = "finished",
        duration_seconds: may f64 = "time at work as the provider counts it",
        result: may Outcome = "how it ended, or how far it is",
        kind: may RunKind = "what it is for",
        environment: may String = "environment it deploys to",
        parent_run_id: may String = "run that started it",
        template_ref: may String = "shared template it is built from",
        url: may String = "address of its page",
    }
}
table! {
    /// One attempt of a job of a run.
    Job = "jobs", by_source: true, {
        run_id: key String = "run it belongs to",
        job_id: key String = "the provider's id",
        attempt: key i64 = "1 for the first try",
        name: may String = "name",
        stage: may String = "stage",
        needs: may Vec<String> = "names of the jobs it waits for",
        runner: may String = "machine it ran on",
        runner_class: may String = "kind of machine",
        created_at: may Time = "created",
        queued_at: may Time = "ready to run",
        started_at: may Time = "started",
        finished_at: may Time = "finished",
        result: may Outcome = "how it ended, or how far it is",
        kind: may RunKind = "what it is for",
        allow_failure: may bool = "whether the run may succeed without it",
        environment: may String = "environment it deploys to",
        cache_hit: may bool = "whether its cache was found",
    }
}
table! {
    /// One attempt to change what runs for a service in an environment.
    Deployment = "deployments", by_source: true, {
        deployment_id: key String = "the provider's id",
        service: must String = "service that is deployed",
        environment: must String = "environment by its own name",
        sha: may String as sha = "source commit",
        digest: may String = "artifact",
        version: may String = "version, tag",
        repo: may String = "`host/path` of the source",
        config_repo: may String = "`host/path` of the configuration (GitOps)",
        config_sha: may String as sha = "commit of the configuration",
        config_paths: may Vec<String> = "files and folders of the configuration that it is made of, those that win first",
        commit_shas: may Vec<String> as shas = "commits it contains, where the graph is unknown",
        created_at: may Time = "created",
        started_at: may Time = "started",
        finished_at: may Time = "when its outcome was first reported",
        outcome: may Outcome = "how it ended, or how far it is",
        kind: may DeploymentKind = "what it was, if the source says so; wins over what is derived",
        branch: may String = "branch or tag deployed",
        change_set_id: may String = "shared by the deployments of one change to several services",
        evidence: may Evidence = "what told us",
        run_id: may String = "run that did it",
        initiated_by: may String = "pseudonym of who started it",
        automated: may bool = "whether nobody did",
        took_effect: may bool = "whether what runs changed, though it did not succeed",
        url: may String = "address of its page",
    }
}
table! {
    /// The state of a GitOps application as it was seen.
    GitopsObservation = "gitops_observations", by_source: true, {
        app: key String = "application",
        observed_at: key Time = "when it was seen",
        service: may String = "service it runs",
        environment: may String = "environment it runs in",
        sync_status: may SyncStatus = "what the controller says",
        compared_revisions: may Vec<String> = "revisions wanted",
        synced_revisions: may Vec<String> = "revisions of the last full sync that succeeded",
        source_hash: may String = "hash of the source's parameters",
        health: may String = "Healthy, Progressing, Degraded, Suspended, Missing, Unknown",
        op_phase: may String = "Running, Succeeded, Failed, Error, Terminating",
        op_started_at: may Time = "start of the operation shown",
        op_finished_at: may Time = "its end",
        op_revisions: may Vec<String> = "its revisions",
        op_automated: may bool = "whether nobody started it",
        op_initiated_by: may String = "pseudonym of who did",
        op_self_heal: may bool = "whether it put back what had drifted",
        op_partial: may bool = "whether it touched only some resources",
        reconciled_at: may Time = "when the controller last looked; null for notifications",
        out_of_sync: may i64 = "resources out of sync",
        prune_only: may bool = "whether only pruning is left to do",
        images: may Vec<String> = "images that run",
        hooks: may Vec<String> = "hooks of the operation with their result",
        healthy_at: may Time = "when its health last became what it is, if healthy",
    }
}
table! {
    /// A failure that users or watchers noticed.
    Incident = "incidents", by_source: true, {
        incident_id: key String = "the provider's id",
        services: may Vec<String> = "services it names",
        environment: may String = "environment; null counts as production",
        severity: may String = "as the source says it",
        title: may String = "title",
        started_at: may Time = "start of the impact",
        detected_at: may Time = "noticed",
        created_at: may Time = "opened",
        acknowledged_at: may Time = "taken up",
        resolved_at: may Time = "over",
        duplicate_of: may String = "incident it repeats",
        caused_by_deployment: may String = "deployment that caused it",
        caused_by_sha: may String as sha = "commit that caused it",
        fixed_by_deployment: may String = "deployment that ended it",
        url: may String = "address of its page",
    }
}
table! {
    /// One result of one test.
    TestResult = "test_results", by_source: true, {
        test_id: key String = "class, name and parameters",
        sha: key_or_null String as sha = "commit it ran on",
        attempt: key i64 = "1 for the first try",
        run_id: key_or_null String = "run",
        job_id: key_or_null String = "job",
        deployment_id: key_or_null String = "deployment it checks",
        suite: key_or_null String = "suite",
        phase: key_or_null Phase = "before or after the deployment",
        service: may String = "service",
        environment: may String = "environment",
        app: may String = "GitOps application",
        framework: may String = "framework",
        result: must Outcome = "result",
        duration_seconds: may f64 = "duration",
        message: may String = "why it failed",
        started_at: key_or_null Time = "start",
    }
}
table! {
    /// One run of a scanner.
    Scan = "scans", by_source: true, {
        scan_id: key String = "the tool's id",
        kind: must ScanKind = "what it looks for",
        tool: may String = "tool",
        repo: may String = "`host/path`",
        sha: may String as sha = "commit scanned",
        digest: may String = "artifact scanned",
        run_id: may String = "run",
        change_id: may String = "merge request",
        started_at: may Time = "start",
        finished_at: may Time = "end",
        gate: may Gate = "what it decided",
        critical: may i64 = "critical findings",
        high: may i64 = "high findings",
        medium: may i64 = "medium findings",
        low: may i64 = "low findings",
        components: may i64 = "components listed",
    }
}
table! {
    /// A person's word at a gate.
    Approval = "approvals", by_source: true, {
        approval_id: key String = "the provider's id",
        kind: must ApprovalKind = "which gate",
        change_id: may String = "merge request",
        deployment_id: may String = "deployment",
        service: may String = "service",
        environment: may String = "environment",
        version: may String = "version",
        requested_at: may Time = "asked",
        decided_at: may Time = "answered",
        decision: may String = "approved or rejected",
        actor: may String = "pseudonym of who answered",
    }
}
table! {
    /// One review of a change.
    Review = "reviews", by_source: true, {
        repo: key String = "`host/path`",
        change_id: key String = "merge request",
        review_id: key String = "the provider's id",
        actor: may String = "pseudonym of the reviewer",
        actor_is_bot: may bool = "whether the reviewer is a bot",
        state: may String = "approved, changes_requested, commented, dismissed",
        submitted_at: may Time = "when",
    }
}
table! {
    /// A person's word on a deployment or incident; wins over every rule and can be taken back by a later one.
    Verdict = "verdicts", by_source: true, {
        verdict_id: key String = "id",
        deployment_id: may String = "deployment it is about",
        incident_id: may String = "incident it is about",
        failed: may bool = "whether the deployment failed",
        kind: may DeploymentKind = "what the deployment was",
        caused_by_deployment: may String = "deployment that caused the incident",
        reason: may String = "why",
        actor: may String = "pseudonym of who says so",
        decided_at: must Time = "when",
    }
}
table! {
    /// A mark for before/after.
    Intervention = "interventions", by_source: true, {
        intervention_id: key String = "id",
        title: must String = "what was done",
        at: must Time = "when",
        services: may Vec<String> = "services it touches; null means all",
        teams: may Vec<String> = "teams it touches; null means all",
    }
}
table! {
    /// A typed result of anything: a simulation, a load test.
    Measurement = "measurements", by_source: true, {
        measurement_id: key String = "id",
        name: must String = "what was measured",
        value: must f64 = "result",
        unit: may String = "unit",
        run_id: may String = "run",
        sha: may String as sha = "commit",
        digest: may String = "artifact",
        deployment_id: may String = "deployment",
        at: must Time = "when",
    }
}

macro_rules! tables {
    ($($name:ident),+ $(,)?) => {
        /// An observation table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Table { $($name),+ }

        impl Table {
            pub const ALL: &'static [Table] = &[$(Table::$name),+];

            pub const fn spec(self) -> &'static TableSpec {
                match self { $(Table::$name => &$name::SPEC),+ }
            }
        }

        /// What one raw event says about one entity.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Entity { $($name($name)),+ }

        impl Entity {
            pub const fn table(&self) -> Table {
                match self { $(Entity::$name(_) => Table::$name),+ }
            }

            pub fn into_cells(self) -> Vec<Cell> {
                match self { $(Entity::$name(entity) => entity.into_cells()),+ }
            }
        }

        impl Table {
            /// The typed entity of a row's cells; `None` if they are not of this table's columns.
            pub fn entity(self, cells: &[Cell]) -> Option<Entity> {
                match self { $(Table::$name => $name::from_cells(cells).map(Entity::$name)),+ }
            }
        }

        $(impl From<$name> for Entity {
            fn from(entity: $name) -> Self {
                Entity::$name(entity)
            }
        })+

        $(impl Default for $name {
            /// Everything unknown; names are empty.
            fn default() -> Self {
                let cells: Vec<_> = $name::SPEC.columns.iter().map(super::fold::blank).collect();
                $name::from_cells(&cells).expect("a blank cell has its column's type")
            }
        })+
    };
}
tables!(
    Service,
    Commit,
    Push,
    Change,
    Artifact,
    PipelineRun,
    Job,
    Deployment,
    GitopsObservation,
    Incident,
    TestResult,
    Scan,
    Approval,
    Review,
    Verdict,
    Intervention,
    Measurement,
    Manifest,
);

impl Table {
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    pub fn parse(name: &str) -> Option<Self> {
        Table::ALL.iter().copied().find(|table| table.name() == name)
    }
}

/// An entity as one raw event tells it, before tenant, source and receive time are stamped on.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    pub entity: Entity,
    /// The provider's own time of change; rows with it are compared by it first.
    pub updated_at: Option<Time>,
    /// Columns that are taken back.
    pub cleared: Vec<String>,
    /// Set by imported rows only; else the raw event's source stands.
    pub source: Option<super::Source>,
}

impl Observation {
    pub fn new(entity: impl Into<Entity>) -> Self {
        Observation { entity: entity.into(), updated_at: None, cleared: Vec::new(), source: None }
    }

    #[must_use]
    pub fn updated_at(mut self, at: Option<Time>) -> Self {
        self.updated_at = at;
        self
    }

    #[must_use]
    pub fn clearing(mut self, column: &str) -> Self {
        self.cleared.push(column.to_owned());
        self
    }
}
