//! `cluster_bootstrap(x, cluster)`: the 95 % percentile interval of the median of values that come in clusters, as the commits of one
//! deployment do: clusters are drawn with replacement, 2000 times (Efron; semantics, 6.2 and 7.8). Rows without a cluster are not
//! looked at; null for fewer than two clusters.
//!
//! The draws are seeded by the values themselves, so that the same rows give the same interval on any machine and in any order.

use super::interval;
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::common::cast::{as_float64_array, as_int64_array, as_list_array};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const REPLICATES: usize = 2000;

#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ClusterBootstrap {
    signature: Signature,
}

impl ClusterBootstrap {
    pub fn new() -> Self {
        ClusterBootstrap { signature: Signature::exact(vec![DataType::Float64, DataType::Int64], Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for ClusterBootstrap {
    fn name(&self) -> &str {
        "cluster_bootstrap"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(interval::fields()))
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Clusters::default()))
    }

    fn state_fields(&self, _: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let list = |name, kind| Arc::new(Field::new_list(name, Field::new_list_field(kind, true), true));
        Ok(vec![list("values", DataType::Float64), list("clusters", DataType::Int64)])
    }
}

/// Values and the cluster of each.
#[derive(Debug, Default)]
struct Clusters(Vec<(f64, i64)>);

impl Clusters {
    fn take(&mut self, values: &ArrayRef, clusters: &ArrayRef) -> Result<()> {
        let (values, clusters) = (as_float64_array(values)?, as_int64_array(clusters)?);
        self.0.extend(values.iter().zip(clusters).filter_map(|(value, cluster)| value.zip(cluster)));
        Ok(())
    }
}

impl Accumulator for Clusters {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.take(&values[0], &values[1])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (values, clusters) = (as_list_array(&states[0])?, as_list_array(&states[1])?);
        for place in (0..values.len()).filter(|&place| values.is_valid(place)) {
            self.take(&values.value(place), &clusters.value(place))?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (values, clusters): (Vec<_>, Vec<_>) =
            self.0.iter().map(|&(value, cluster)| (ScalarValue::from(value), ScalarValue::from(cluster))).unzip();
        let list = |values: &[ScalarValue], kind| ScalarValue::List(ScalarValue::new_list_nullable(values, &kind));
        Ok(vec![list(&values, DataType::Float64), list(&clusters, DataType::Int64)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        ScalarValue::try_from_array(&interval::array(std::iter::once(bootstrap(&mut self.0))), 0)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.capacity() * size_of::<(f64, i64)>()
    }
}

fn bootstrap(values: &mut [(f64, i64)]) -> Option<(f64, f64)> {
    let drawing = Drawing::of(values)?;
    let mut random = SplitMix(drawing.seed);
    Some(middle((0..REPLICATES).map(|_| drawing.median(&mut random)).collect()))
}

/// The bounds of the middle 95 % of replicates.
pub(crate) fn middle(mut replicates: Vec<f64>) -> (f64, f64) {
    replicates.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * (replicates.len() - 1) as f64;
        let (below, above) = (replicates[place.floor() as usize], replicates[place.ceil() as usize]);
        below + (above - below) * place.fract()
    };
    (at(0.025), at(0.975))
}

/// Values in clusters, to be drawn from.
pub(crate) struct Drawing {
    /// With the cluster of each.
    sorted: Vec<(f64, usize)>,
    sizes: Vec<usize>,
    /// Of the values, cluster by cluster.
    pub(crate) seed: u64,
}

impl Drawing {
    /// Values, each with its cluster; `None` for fewer than two clusters.
    pub(crate) fn of(values: &mut [(f64, i64)]) -> Option<Drawing> {
        // Clusters are numbered by their values, not by the numbers that they came with: these depend on what else was asked.
        let mut by_cluster: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        values.iter().for_each(|&(value, cluster)| by_cluster.entry(cluster).or_default().push(value));
        let mut clusters: Vec<Vec<f64>> = by_cluster.into_values().collect();
        clusters.sort_by(|a, b| a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne()).unwrap_or(a.len().cmp(&b.len())));
        if clusters.len() < 2 {
            return None;
        }
        let mut sorted: Vec<(f64, usize)> = Vec::with_capacity(values.len());
        for (number, cluster) in clusters.iter().enumerate() {
            sorted.extend(cluster.iter().map(|&value| (value, number)));
        }
        let seed = seed(&sorted);
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        Some(Drawing { sorted, sizes: clusters.iter().map(Vec::len).collect(), seed })
    }

    /// The median of as many clusters as there are, drawn with replacement.
    pub(crate) fn median(&self, random: &mut SplitMix) -> f64 {
        let mut times = vec![0_u32; self.sizes.len()];
        let mut total = 0;
        for _ in &self.sizes {
            // Of 2^64, by far more than there are clusters: what the remainder favours cannot be measured.
            let drawn = ((u128::from(random.next()) * self.sizes.len() as u128) >> 64) as usize;
            times[drawn] += 1;
            total += self.sizes[drawn];
        }
        let (low, high) = ((total - 1) / 2, total / 2);
        let (mut passed, mut below) = (0, None);
        for &(value, cluster) in &self.sorted {
            passed += times[cluster] as usize;
            if below.is_none() && passed > low {
                below = Some(value);
            }
            if passed > high {
                return below.map_or(value, |below| below + (value - below) * 0.5);
            }
        }
        f64::NAN
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): millions of draws stand behind a page, and nobody has to be unable to guess them.
pub(crate) struct SplitMix(pub(crate) u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// FNV-1a over the values, cluster by cluster.
fn seed(values: &[(f64, usize)]) -> u64 {
    let bytes = values.iter().flat_map(|(value, cluster)| value.to_bits().to_le_bytes().into_iter().chain((*cluster as u64).to_le_bytes()));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three clusters: medians of all 27 draws can be counted by hand.
    #[test]
    fn three_clusters_as_counted_by_hand() {
        // Clusters {1}, {5}, {9}: a draw has the median 1 where 1 comes twice or more: 7 of 27 draws (25.9 %), likewise 9.
        // So 2.5 % and 97.5 % lie at 1 and at 9.
        assert_eq!(bootstrap(&mut [(1.0, 4), (9.0, 7), (5.0, 2)]), Some((1.0, 9.0)));
    }

    #[test]
    fn neither_order_nor_numbers_of_clusters_matter() {
        let rows: Vec<(f64, i64)> = (0..60).map(|i| (f64::from((i * 37) % 101), i64::from(i % 9))).collect();
        let expected = bootstrap(&mut rows.clone()).expect("nine clusters");
        let mut other: Vec<(f64, i64)> = rows.iter().rev().map(|&(value, cluster)| (value, 100 - cluster * 3)).collect();
        assert_eq!(bootstrap(&mut other), Some(expected));
        assert!(expected.0 < 50.0 && expected.1 > 50.0);
    }

    #[test]
    fn one_cluster_says_nothing() {
        assert_eq!(bootstrap(&mut [(1.0, 1), (2.0, 1), (3.0, 1)]), None);
        assert_eq!(bootstrap(&mut []), None);
    }

    /// Where every value is a cluster of its own, the interval is near that of ranks.
    #[test]
    fn single_values_come_near_the_ranks() {
        let mut rows: Vec<(f64, i64)> = (1..=100).map(|i| (f64::from(i), i64::from(i))).collect();
        let (lo, hi) = bootstrap(&mut rows).expect("clusters");
        assert!((38.0..44.0).contains(&lo) && (57.0..63.0).contains(&hi), "{lo} {hi}");
    }
}
