//! Names of options, as `Display` writes and `FromStr` reads them. [`operators`](crate::operators) reads the same names.

use std::fmt;

/// A text that names no value of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownName {
    /// The option.
    pub what: &'static str,
    /// The text.
    pub given: String,
    /// The known names.
    pub known: Vec<&'static str>,
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no {}; known are {}", self.given, self.what, self.known.join(", "))
    }
}

impl std::error::Error for UnknownName {}

/// Gives the variants of an enum their names.
macro_rules! names {
    ($ty:ident, $what:literal, $($variant:ident = $name:literal),+ $(,)?) => {
        impl $ty {
            /// Every value, with the name that `Display` writes and `FromStr` reads.
            pub const NAMES: &'static [(&'static str, Self)] = &[$(($name, Self::$variant)),+];
        }

        impl std::fmt::Display for $ty {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $name),+
                })
            }
        }

        impl std::str::FromStr for $ty {
            type Err = $crate::UnknownName;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let found = Self::NAMES.iter().find(|(name, _)| *name == text).map(|&(_, value)| value);
                found.ok_or_else(|| $crate::UnknownName {
                    what: $what,
                    given: text.to_owned(),
                    known: Self::NAMES.iter().map(|&(name, _)| name).collect(),
                })
            }
        }
    };
}
pub(crate) use names;
