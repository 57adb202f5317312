//! One tenant's facts under several definitions. Entities are there once: whichever set is worked on has them for that time. What
//! depends on no definition (graphs, applications, runs) the sets share.

use super::tenant::Told;
use super::{Facts, Tenant};
use crate::catalogue::CatalogueConfig;
use crate::definitions::Definitions;
use crate::entities::Entities;
use flowgauge_lake::model::{Row, Table};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sets that are kept beside the configured one: the last that were asked for. Each holds the deployments and changes of a tenant.
const KEPT: usize = 3;

/// The facts of the configured definitions, and of presets that somebody has asked for.
#[derive(Debug)]
pub struct Sets {
    own: Tenant,
    others: BTreeMap<&'static str, Other>,
    asked: u64,
}

#[derive(Debug)]
struct Other {
    tenant: Tenant,
    /// The version of the configured picture that it was derived beside.
    beside: Option<u64>,
    last_asked: u64,
}

impl Sets {
    pub fn new(config: Arc<CatalogueConfig>, definitions: Arc<Definitions>) -> Self {
        Sets { own: Tenant::new(config, definitions), others: BTreeMap::new(), asked: 0 }
    }

    pub fn entities(&self) -> &Entities {
        &self.own.entities
    }

    /// Takes in one row of an observation table.
    pub fn apply(&mut self, table: Table, row: Row) {
        let Some(told) = self.own.take_in(table, row) else { return };
        for other in self.others.values_mut() {
            Lent::to(&mut other.tenant, &mut self.own).note(&told);
        }
    }

    pub fn is_dirty(&self) -> bool {
        self.own.is_dirty()
    }

    /// Brings the facts of the configured definitions up to date and gives the new picture. The others follow when they are asked for.
    pub fn refresh(&mut self) -> Facts {
        self.own.refresh()
    }

    /// The picture under a preset, of the entities that the configured picture was last derived from: that must be up to date.
    pub fn under(&mut self, preset: &'static str, definitions: &Arc<Definitions>) -> Facts {
        self.asked += 1;
        if !self.others.contains_key(preset) {
            self.forget_all_but(KEPT - 1);
            let mut tenant = self.own.with_definitions(definitions.clone());
            Lent::to(&mut tenant, &mut self.own).tenant.note_all();
            self.others.insert(preset, Other { tenant, beside: None, last_asked: 0 });
        }
        let picture = self.own.picture().clone();
        let other = self.others.get_mut(preset).expect("it was there or has just been made");
        other.last_asked = self.asked;
        if other.beside != Some(picture.version) {
            other.beside = Some(picture.version);
            Lent::to(&mut other.tenant, &mut self.own).tenant.refresh_beside(&picture);
        }
        other.tenant.picture().clone()
    }

    /// The picture of the same entities under any catalogue and definitions, which is not kept.
    pub fn once(&mut self, config: Arc<CatalogueConfig>, definitions: Arc<Definitions>) -> Facts {
        let mut tenant = Tenant::new(config, definitions);
        let lent = Lent::to(&mut tenant, &mut self.own);
        lent.tenant.note_all();
        lent.tenant.refresh()
    }

    /// Whether the facts of a preset are kept.
    pub fn keeps(&self, preset: &str) -> bool {
        self.others.contains_key(preset)
    }

    fn forget_all_but(&mut self, count: usize) {
        while self.others.len() > count {
            let oldest = self.others.iter().min_by_key(|(_, other)| other.last_asked).map(|(preset, _)| *preset);
            oldest.and_then(|preset| self.others.remove(preset));
        }
    }

    /// Another configuration: everything is derived anew from the same entities.
    pub fn reconfigure(&mut self, config: Arc<CatalogueConfig>, definitions: Arc<Definitions>) {
        self.others.clear();
        self.own.reconfigure(config, definitions);
    }
}

/// A set that has the entities of another for a time; they go back however that ends.
struct Lent<'a> {
    tenant: &'a mut Tenant,
    owner: &'a mut Tenant,
}

impl<'a> Lent<'a> {
    fn to(tenant: &'a mut Tenant, owner: &'a mut Tenant) -> Self {
        std::mem::swap(&mut tenant.entities, &mut owner.entities);
        Lent { tenant, owner }
    }

    fn note(self, told: &Told) {
        self.tenant.note(told);
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        std::mem::swap(&mut self.tenant.entities, &mut self.owner.entities);
    }
}
