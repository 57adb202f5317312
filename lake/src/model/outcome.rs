//! The words with a fixed meaning: results, kinds, evidence (public schema, "result/outcome").

use super::Cell;
use super::cell::{ColumnType, Value};

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            pub const ALL: &'static [&'static str] = &[$($text),+];
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some($name::$variant),)+ _ => None }
            }
        }

        impl Value for $name {
            const TYPE: ColumnType = ColumnType::Choice($name::ALL);
            fn into_cell(self) -> Cell {
                Cell::Text(self.as_str().to_owned())
            }
            fn from_cell(cell: &Cell) -> Option<Self> {
                cell.as_text().and_then($name::parse)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

choice! {
    /// How a run, job, deployment or test ended, or how far it is.
    Outcome {
        Success = "success",
        Failure = "failure",
        Error = "error",
        Timeout = "timeout",
        Cancellation = "cancellation",
        Skip = "skip",
        InProgress = "in_progress",
        /// Also waiting for an approval or a manual step.
        Queued = "queued",
    }
}

impl Outcome {
    pub fn is_ended(self) -> bool {
        !matches!(self, Outcome::InProgress | Outcome::Queued)
    }

    /// Ended badly: failure, error or timeout.
    pub fn is_bad(self) -> bool {
        matches!(self, Outcome::Failure | Outcome::Error | Outcome::Timeout)
    }

    /// How far along a state is; the fold lets the further one win: ended over in progress over queued.
    pub fn progress(self) -> u8 {
        match self {
            Outcome::Queued => 1,
            Outcome::InProgress => 2,
            _ => 3,
        }
    }
}

choice! {
    /// What a run or job is for.
    RunKind { Ci = "ci", Deployment = "deployment" }
}
choice! {
    /// What a deployment was told by, the best first.
    Evidence { Deployment = "deployment", GitopsSync = "gitops_sync", Job = "job", Event = "event" }
}
choice! {
    /// What a deployment was.
    DeploymentKind {
        Release = "release",
        /// The version that ran already.
        NoOp = "no_op",
        /// The same version with another configuration.
        ConfigOnly = "config_only",
        Rollback = "rollback",
        Hotfix = "hotfix",
        Revert = "revert",
    }
}
choice! {
    /// What a candidate for a deployment was, as the ledger has it: finer than its kind.
    DeploymentClass {
        Release = "release",
        /// The first that changed what runs in its environment.
        Bootstrap = "bootstrap",
        Rollback = "rollback",
        /// Back to a version that ran, but forward.
        RollForward = "roll_forward",
        Hotfix = "hotfix",
        Revert = "revert",
        ConfigOnly = "config_only",
        NoOp = "no_op",
        /// Ended without changing what runs.
        FailedBeforeEffect = "failed_before_effect",
        /// A version that came to one more environment: part of a deployment that is counted already.
        FanOutMember = "fan_out_member",
        /// Another row that tells of the same deployment.
        DuplicateEvidence = "duplicate_evidence",
        /// The controller put back what was there.
        SelfHeal = "self_heal",
        /// An operation on chosen resources.
        PartialSync = "partial_sync",
        /// An operation on chosen resources that ran hooks.
        HookOnlySync = "hook_only_sync",
        /// An application that only manages other applications.
        AppOfAppsParent = "app_of_apps_parent",
    }
}

impl DeploymentClass {
    /// An operation of a GitOps controller that is no deployment.
    pub fn is_operation(self) -> bool {
        use DeploymentClass::{AppOfAppsParent, HookOnlySync, PartialSync, SelfHeal};
        matches!(self, SelfHeal | PartialSync | HookOnlySync | AppOfAppsParent)
    }
}

choice! { Phase { Pipeline = "pipeline", PostDeploy = "post_deploy" } }
choice! {
    ScanKind {
        Sast = "sast", Sca = "sca", Dast = "dast", Secret = "secret", Container = "container", Iac = "iac",
        Sbom = "sbom", License = "license", Signature = "signature",
    }
}
choice! { Gate { Passed = "passed", Failed = "failed", None = "none" } }
choice! { ApprovalKind { Change = "change", Environment = "environment", Release = "release" } }
choice! { SyncStatus { Synced = "Synced", OutOfSync = "OutOfSync", Unknown = "Unknown" } }
