//! The switches: what a definition may choose between. The first value of each is what Flowgauge itself does.

use serde::{Deserialize, Serialize};

macro_rules! switches {
    ($($(#[$doc:meta])+ $name:ident { $(#[$first_doc:meta])+ $first:ident = $first_text:literal $(, $(#[$other_doc:meta])+ $other:ident = $other_text:literal)* $(,)? })+) => {
        $(
            $(#[$doc])+
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
            pub enum $name {
                $(#[$first_doc])+
                #[default]
                #[serde(rename = $first_text)]
                $first,
                $($(#[$other_doc])+ #[serde(rename = $other_text)] $other,)*
            }

            impl $name {
                /// As it is written in the configuration and in statements.
                pub const fn as_str(self) -> &'static str {
                    match self {
                        $name::$first => $first_text,
                        $($name::$other => $other_text,)*
                    }
                }
            }
        )+
    };
}

switches! {
    /// What tells of a deployment.
    DeploymentSource {
        /// The best evidence there is: a deployment object, a sync, a job, an event.
        BestEvidence = "best_evidence",
    }
    /// Which environments count where a question names none.
    EnvFilter {
        /// The production tier.
        Production = "production",
        /// Every environment.
        None = "none",
    }
    /// Which rows are one deployment.
    Dedupe {
        /// Different evidence of one version, and one version over several production environments.
        Evidence = "evidence",
        /// Only what has one id.
        DeploymentId = "deployment_id",
    }
    /// Which kinds of deployments count.
    DfKinds {
        /// What changed something: neither `no_op` nor `config_only`.
        Changes = "changes",
        /// Every kind.
        All = "all",
    }
    /// What deployment frequency is.
    DfStat {
        /// Deployments per day.
        Rate = "rate",
        /// The median week's days with a deployment, per day.
        MedianDaysPerWeek = "median_days_per_week",
    }
    /// Which commits a deployment brought.
    ChangeSet {
        /// Those in the history of no earlier deployment.
        Reachability = "reachability",
        /// Those not in the history of the previous deployment of the environment; the deployment that started first has each.
        RangePrev = "range_prev",
        /// Those of the push that ends at the deployed commit, else of the range since the previous deployment.
        Push = "push",
    }
    /// What has a lead time.
    LtUnit {
        /// Each commit.
        Commit = "commit",
        /// Each change, from its first commit on.
        PrFirstCommit = "pr_first_commit",
        /// Each change, from its merge on.
        PrMerge = "pr_merge",
    }
    /// When lead time begins.
    LtStart {
        /// When the commit was written.
        Author = "author",
        /// When its change was ready for review.
        PrReady = "pr_ready",
        /// When its change was merged.
        Merge = "merge",
    }
    /// When lead time ends.
    LtEnd {
        /// When the deployment finished.
        Finished = "finished",
    }
    /// Which window a lead time belongs to.
    LtWindow {
        /// That of the deployment.
        Deployed = "deployed",
    }
    /// How the parts of a lead time add up.
    LtLegs {
        /// They are parts of one stretch of time.
        Telescoping = "telescoping",
        /// Coding, review and deployment are rounded each; what is unknown or negative is nothing.
        DevlakeSum = "devlake_sum",
    }
    /// What a squashed commit stands for.
    LtSquash {
        /// The commits of its change.
        Expand = "expand",
        /// Itself.
        Keep = "keep",
    }
    /// Whether merge commits have a lead time.
    LtMerges {
        /// They have none.
        LeaveOut = "leave_out",
        /// As any commit.
        Keep = "keep",
    }
    /// How each duration is rounded before it is counted.
    Round {
        /// Not at all.
        None = "none",
        /// Up to whole minutes.
        CeilMin = "ceil_min",
        /// Down to whole minutes.
        TruncMin = "trunc_min",
        /// Down to whole hours.
        TruncHour = "trunc_hour",
        /// Down to whole seconds.
        TruncSecond = "trunc_s",
    }
    /// What the typical value is.
    Quantile {
        /// The median, between neighbours where there is no middle one.
        Linear = "linear",
        /// The greatest value with at most half of the others below it.
        LowerPercentRank = "lower_percent_rank",
        /// The arithmetic mean.
        Mean = "mean",
    }
    /// What is done with what is not over yet.
    Censoring {
        /// It counts as lasting at least as long as so far (Kaplan and Meier).
        Km = "km",
        /// It is left out.
        Ignore = "ignore",
    }
    /// What nothing is.
    Empty {
        /// No value.
        Null = "null",
        /// Zero.
        Zero = "zero",
        /// Zero in months, no value otherwise.
        ZeroMonths = "zero_months",
    }
    /// The first day of a week.
    WeekStart {
        /// As `[display]` or the question says.
        Display = "display",
        /// Monday.
        Monday = "mon",
        /// Sunday.
        Sunday = "sun",
    }
    /// Which ends of a window belong to it.
    IntervalEnds {
        /// The start only.
        HalfOpen = "half_open",
    }
    /// What counts as failed in change fail rate and recovery.
    CfrNum {
        /// Deployments with any sign of failure.
        Failed = "failed",
        /// Deployments with an incident.
        Deployments = "deployments",
        /// Incidents of the window, whatever caused them.
        Incidents = "incidents",
        /// Deployments that a rollback, a hotfix or a revert marks.
        Rollbacks = "rollbacks",
        /// Pairs of a deployment and an incident.
        Joins = "joins",
    }
    /// What failures are measured against.
    CfrDen {
        /// What took effect and was no rollback.
        MinusRollbacks = "minus_rollbacks",
        /// What took effect.
        All = "all",
        /// What succeeded.
        Success = "success",
    }
    /// How an incident finds its deployment.
    Attribution {
        /// By the cause that it names, else the last deployment before it.
        ExplicitThenLast = "explicit_then_last",
        /// Only by the cause that it names.
        Explicit = "explicit",
        /// Only the last deployment before it.
        LastBefore = "last_before",
        /// Not at all.
        None = "none",
    }
    /// Whether a deployment of the very moment is before an incident.
    AttributionStrict {
        /// It is.
        Le = "le",
        /// It is not.
        Lt = "lt",
    }
    /// Whose deployments an incident may belong to.
    AttributionScope {
        /// Those of its services; of none where it names none.
        Service = "service",
        /// Those of its services; of any where it names none.
        Project = "project",
        /// Those of all services of its services' teams; of any where it names none.
        Team = "team",
    }
    /// When an incident is.
    IncidentTime {
        /// When it began, else when it was recorded.
        Started = "started",
        /// When it was recorded, else when it began.
        Created = "created",
        /// When it was noticed, else when it began.
        Detected = "detected",
    }
    /// Whether an incident that repeats another counts.
    Duplicates {
        /// It does not.
        Once = "once",
        /// It does.
        Each = "each",
    }
    /// When recovery begins.
    RecoveryStart {
        /// When the failed deployment finished.
        Deploy = "deploy",
        /// When the incident was recorded.
        Created = "created",
        /// When the incident was noticed.
        Detected = "detected",
        /// When the failed deployment finished or the incident was recorded, whichever was first.
        MinDeployCreated = "min_deploy_created",
    }
    /// Which window a recovery belongs to.
    RecoveryWindow {
        /// That of the deployment.
        Deployed = "deployed",
        /// That of the deployment, if it is over within the question's window too.
        DeployAndResolved = "deploy_and_resolved",
        /// Where the incident was recorded, or where recovery begins if that was earlier.
        Created = "created",
        /// Where the incident was over.
        Resolved = "resolved",
        /// Where the incident was noticed.
        Detected = "detected",
    }
}
