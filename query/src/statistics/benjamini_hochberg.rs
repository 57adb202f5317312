//! Many tests in one answer find something by chance: p-values adjusted so that, of what is below 5 %, at most 5 % is expected to
//! be chance (Benjamini and Hochberg 1995; semantics, 6.5).

/// The adjusted values, in the order given.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut least = 1.0_f64;
    for (rank, &place) in order.iter().enumerate().rev() {
        least = least.min(p[place] * p.len() as f64 / (rank + 1) as f64);
        adjusted[place] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::benjamini_hochberg;
    use crate::functions::close;

    #[test]
    fn as_worked_out_by_hand() {
        // Sorted .005, .01, .03, .04: times 4/1, 4/2, 4/3, 4/4.
        let adjusted = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.005]);
        adjusted.iter().zip([0.02, 0.04, 0.04, 0.02]).for_each(|(found, expected)| close(*found, expected));
        // None is greater than that of a greater p: .02 · 3/1 = .06, .021 · 3/2 = .0315, .022 · 3/3 = .022.
        benjamini_hochberg(&[0.02, 0.021, 0.022]).iter().for_each(|found| close(*found, 0.022));
        assert_eq!(benjamini_hochberg(&[]), Vec::<f64>::new());
        assert_eq!(benjamini_hochberg(&[0.9, 1.0]), [1.0, 1.0]);
    }
}
