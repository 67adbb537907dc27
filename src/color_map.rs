//! Colour maps for heat overlays.

/// Colours for heat from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum ColorMap {
    /// Turbo (Mikhailov 2019): a rainbow of even lightness steps.
    #[default]
    Turbo,
    /// Viridis (van der Walt, Smith 2015): perceptually uniform, readable in grey and by the colour-blind.
    Viridis,
    /// Black to white.
    Grey,
    /// RGB colours of the caller's own, for heat 0, 1/255, ... 1.
    Table(Box<[[u8; 3]; 256]>),
}

impl ColorMap {
    /// RGB colours for heat 0, 1/255, ... 1. Heat between two entries blends their colours.
    #[must_use]
    pub fn table(&self) -> [[u8; 3]; 256] {
        let gradient = match self {
            Self::Turbo => colorous::TURBO,
            Self::Viridis => colorous::VIRIDIS,
            Self::Grey => return std::array::from_fn(|level| [level as u8; 3]),
            Self::Table(table) => return **table,
        };
        std::array::from_fn(|level| gradient.eval_rational(level, 256).as_array())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_middle_are_the_published_colours() {
        let viridis = ColorMap::Viridis.table();
        assert_eq!((viridis[0], viridis[255]), ([68, 1, 84], [253, 231, 37]));
        let turbo = ColorMap::Turbo.table();
        // Dark blue, green, dark red.
        assert!(turbo[0][2] > turbo[0][1] && turbo[128][1] > 200 && turbo[255][0] > 100 && turbo[255][2] < 20);
        assert_eq!(ColorMap::Grey.table()[200], [200; 3]);
    }
}
