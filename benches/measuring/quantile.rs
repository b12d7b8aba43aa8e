//! Quantiles of what was measured.

/// The value below which `share`, 0 to 1, of the values lie.
///
/// # Panics
///
/// Where there are none.
pub(crate) fn quantile<T: Copy>(sorted: &[T], share: f64) -> T {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index"
    )]
    let at = ((sorted.len() - 1) as f64 * share) as usize;
    sorted[at]
}
