//! What a payload's writer sees: the event, and the world in which it happened.

use crate::Shop;
use crate::catalogue::Service;
use crate::model::{Event, World};

pub struct Scene<'a> {
    pub shop: &'a Shop,
    pub world: &'a World,
    pub service: &'static Service,
    pub event: Event,
    /// A number that no other delivery has, for its ids.
    pub nth: u64,
}
