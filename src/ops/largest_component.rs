//! The largest connected component of masks.

/// Which pixels are neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Connectivity {
    /// Across edges.
    Four,
    /// Across edges and corners.
    #[default]
    Eight,
}
