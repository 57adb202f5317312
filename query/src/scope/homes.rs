//! Where what ran belongs: the series of its repository, its pipeline and its services.

use super::Builder;
use crate::question::Dimension;
use std::collections::HashMap;
use std::rc::Rc;

/// The repository and the pipeline of something that ran, and its own service if it has one; else it belongs to every service of the
/// repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Home<'a> {
    pub repo: Option<&'a str>,
    pub pipeline: Option<&'a str>,
    pub service: Option<&'a str>,
}

/// The keys of a home's series.
pub(super) type Keys = Rc<[Vec<String>]>;

/// The homes seen so far: there are few of them, and many things in each.
pub(super) struct Homes<'a> {
    are_bases: bool,
    known: HashMap<Home<'a>, Keys>,
}

impl<'a> Homes<'a> {
    /// Of rows of the metric's base table: where they are, there is a series.
    pub fn of_base() -> Self {
        Homes { are_bases: true, known: HashMap::new() }
    }

    /// Of rows that count in series which others make.
    pub fn of_guests() -> Self {
        Homes { are_bases: false, known: HashMap::new() }
    }

    pub fn keys(&mut self, builder: &mut Builder<'a>, home: Home<'a>) -> Keys {
        if let Some(keys) = self.known.get(&home) {
            return keys.clone();
        }
        let facts = builder.facts;
        let services = match home.service {
            Some(service) => vec![Some(service)],
            None => builder.services_of_repo(home.repo),
        };
        let mut keys = Vec::new();
        for service in services {
            let labels = [
                (Dimension::Repo, home.repo),
                (Dimension::Pipeline, home.pipeline),
                (Dimension::Service, service),
                (Dimension::Team, service.and_then(|service| facts.catalogue.team(service))),
            ];
            if builder.passes(&labels) {
                if self.are_bases {
                    builder.configured(&labels);
                }
                keys.push(builder.key(&labels));
            }
        }
        keys.sort();
        keys.dedup();
        let keys: Keys = keys.into();
        self.known.insert(home, keys.clone());
        keys
    }
}
