//! Approvals, and the deployments, services and changes that they are about (semantics, 7.60).

use super::failures::{Register, Spot};
use flowgauge_lake::model::{Approval, Source};
use std::collections::HashMap;

/// One person's word at a gate; its service by the name that the catalogue has for it.
#[derive(Debug)]
pub struct Approved {
    pub source: Source,
    pub approval: Approval,
}

/// All approvals, and by what they are found. Those that name a deployment are about that one only.
#[derive(Debug, Default)]
pub struct Approvals {
    pub all: Vec<Approved>,
    by_deployment: HashMap<Spot, Vec<usize>>,
    by_service: HashMap<String, Vec<usize>>,
    by_change: HashMap<String, Vec<usize>>,
}

impl Approvals {
    /// `approvals` in a fixed order.
    pub(super) fn bind(approvals: impl Iterator<Item = Approved>, register: &Register<'_>) -> Approvals {
        let mut all = Approvals::default();
        for (index, approved) in approvals.enumerate() {
            let approval = &approved.approval;
            if let Some(id) = &approval.deployment_id {
                if let Some(spot) = register.find(id, &approved.source) {
                    all.by_deployment.entry(spot.clone()).or_default().push(index);
                }
            } else {
                approval.service.iter().for_each(|service| all.by_service.entry(service.clone()).or_default().push(index));
                approval.change_id.iter().for_each(|change| all.by_change.entry(change.clone()).or_default().push(index));
            }
            all.all.push(approved);
        }
        all
    }

    fn found<'a>(&'a self, indices: Option<&'a Vec<usize>>) -> impl Iterator<Item = &'a Approved> {
        indices.into_iter().flatten().map(|&index| &self.all[index])
    }

    pub fn of_deployment(&self, spot: &Spot) -> impl Iterator<Item = &Approved> {
        self.found(self.by_deployment.get(spot))
    }

    /// Those that name a service and no deployment.
    pub fn of_service(&self, service: &str) -> impl Iterator<Item = &Approved> {
        self.found(self.by_service.get(service))
    }

    /// Those that name a change by its number, in whichever repository, and no deployment.
    pub fn of_change(&self, change_id: &str) -> impl Iterator<Item = &Approved> {
        self.found(self.by_change.get(change_id))
    }
}
