//! Facts: what follows from the entities. `Tenant` keeps them up to date as rows come in, recomputing only the services,
//! applications and runs that a row touches; `Facts` is the unchanging picture that questions are asked of.
//! A rebuild from the log gives an equal picture.

pub mod approvals;
pub mod changes;
pub mod configuration;
pub mod deployments;
pub mod drift;
pub mod failures;
pub mod false_results;
mod gate_rows;
pub mod gates;
pub mod graph;
pub mod ledger;
pub mod lineage;
mod picture;
pub mod pipelines;
pub mod promotions;
mod ranges;
mod rows;
pub mod rungs;
pub mod runs;
pub mod scans;
mod sets;
pub mod stages;
pub mod state;
mod tenant;
pub mod test_results;
pub mod tickets;
pub mod verdicts;
pub mod waiting;

pub use picture::{AppFacts, Facts, ServiceFacts, Stream};
pub use rows::{by_month, fact_rows};
pub use sets::Sets;
pub use tenant::Tenant;

use flowgauge_lake::model::Cell;

/// The typed entity of folded cells.
pub(crate) fn entity<T: Typed>(cells: &[Cell]) -> T {
    T::typed(cells).expect("folded cells have their table's columns")
}

/// Entities that facts are made of.
pub(crate) trait Typed: Sized {
    fn typed(cells: &[Cell]) -> Option<Self>;
}

macro_rules! typed {
    ($($name:ident),+) => {
        $(impl Typed for flowgauge_lake::model::$name {
            fn typed(cells: &[Cell]) -> Option<Self> {
                flowgauge_lake::model::$name::from_cells(cells)
            }
        })+
    };
}
typed!(
    Approval,
    Artifact,
    Change,
    Commit,
    Deployment,
    GitopsObservation,
    Incident,
    Job,
    Manifest,
    PipelineRun,
    Push,
    Review,
    Scan,
    Service,
    TestResult,
    Verdict
);
