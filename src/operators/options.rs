//! Options of an operator as text, and what an operator asks for.

use std::cell::RefCell;
use std::fmt::Display;
use std::str::FromStr;

use crate::{Activation, Border, ColorMap, Element, Error, Size, ThresholdRule};

/// An option that an operator asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OptionSpec {
    /// Its name.
    pub name: &'static str,
    /// The values that it takes: names, or `a number`, `a whole number`, `true or false`, `height,width`.
    pub values: String,
    /// What it is where it is not given; `None` for one that must be.
    pub default: Option<String>,
}

/// Options by name, each as text: `("pooling", "max")`, `("window", "7,7")`, `("scale", "0.125")`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options(Vec<(String, String)>);

impl Options {
    /// Of these names and values.
    pub fn new<N: Into<String>, V: Into<String>>(options: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(options.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Reads the options of one operator, and keeps account of what the operator asks for.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    op: &'static str,
    given: &'a [(String, String)],
    asked: RefCell<Vec<OptionSpec>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(op: &'static str, options: &'a Options) -> Self {
        Self { op, given: &options.0, asked: RefCell::default() }
    }

    pub(super) fn asked(self) -> Vec<OptionSpec> {
        self.asked.into_inner()
    }

    /// Refuses an option that was given and not asked for.
    pub(super) fn check_names(&self) -> Result<(), Error> {
        let asked = self.asked.borrow();
        let Some((name, _)) = self.given.iter().find(|(name, _)| asked.iter().all(|spec| spec.name != name)) else {
            return Ok(());
        };
        let known: Vec<_> = asked.iter().map(|spec| spec.name).collect();
        let needed = format!("one of {}", known.join(", "));
        Err(Error::InvalidParameter { op: self.op, parameter: "options", given: name.clone(), needed })
    }

    fn read<T>(
        &self,
        name: &'static str,
        values: String,
        default: Option<(T, String)>,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Error> {
        let wrong = |given: &str, needed: String| Error::InvalidParameter {
            op: self.op,
            parameter: name,
            given: given.to_owned(),
            needed,
        };
        let written = default.as_ref().map(|(_, text)| text.clone());
        let mut asked = self.asked.borrow_mut();
        asked.retain(|spec| spec.name != name);
        asked.push(OptionSpec { name, values: values.clone(), default: written });
        match (self.given.iter().find(|(given, _)| given == name), default) {
            (Some((_, text)), _) => parse(text).ok_or_else(|| wrong(text, values)),
            (None, Some((default, _))) => Ok(default),
            (None, None) => Err(wrong("none", values)),
        }
    }

    /// A value that is written as it is read. Without a default it must be given.
    fn parsed<T: FromStr + Display>(&self, name: &'static str, values: &str, default: Option<T>) -> Result<T, Error> {
        let default = default.map(|value| {
            let text = value.to_string();
            (value, text)
        });
        self.read(name, values.to_owned(), default, |text| text.trim().parse().ok())
    }

    /// One of an enum's names.
    pub(super) fn name<T: FromStr + Display>(
        &self,
        name: &'static str,
        names: &[(&str, T)],
        default: T,
    ) -> Result<T, Error> {
        let values = names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        self.parsed(name, &values, Some(default))
    }

    /// The element type of what varies: `element`, f32 unless said otherwise.
    pub(super) fn element(&self) -> Result<Element, Error> {
        self.name("element", Element::NAMES, Element::F32)
    }

    pub(super) fn number(&self, name: &'static str, default: Option<f32>) -> Result<f32, Error> {
        self.parsed(name, "a number", default)
    }

    pub(super) fn integer(&self, name: &'static str, default: Option<u32>) -> Result<u32, Error> {
        self.parsed(name, "a whole number", default)
    }

    pub(super) fn flag(&self, name: &'static str, default: bool) -> Result<bool, Error> {
        self.parsed(name, "true or false", Some(default))
    }

    /// Two whole numbers, or one for both axes.
    pub(super) fn size(&self, name: &'static str, default: Option<Size>) -> Result<Size, Error> {
        let default = default.map(|size| (size, format!("{},{}", size.height, size.width)));
        self.read(name, "height,width".into(), default, |text| {
            let numbers: Result<Vec<u32>, _> = text.split(',').map(|number| number.trim().parse()).collect();
            match *numbers.ok()? {
                [both] => Some(Size::new(both, both)),
                [height, width] => Some(Size::new(height, width)),
                _ => None,
            }
        })
    }

    /// Numbers of frames, rows and columns: three; or two for rows and columns, or one for both, with `default[0]` for frames.
    pub(super) fn axes(&self, name: &'static str, default: [u32; 3], required: bool) -> Result<[u32; 3], Error> {
        let [frames, rows, columns] = default;
        let written = (!required).then(|| (default, format!("{frames},{rows},{columns}")));
        self.read(
            name,
            "one number for rows and columns; rows,columns; or frames,rows,columns".into(),
            written,
            |text| {
                let numbers: Result<Vec<u32>, _> = text.split(',').map(|number| number.trim().parse()).collect();
                match *numbers.ok()? {
                    [both] => Some([frames, both, both]),
                    [rows, columns] => Some([frames, rows, columns]),
                    [frames, rows, columns] => Some([frames, rows, columns]),
                    _ => None,
                }
            },
        )
    }

    /// Borders of frames, rows and columns: three; or two for rows and columns, or one for both.
    pub(super) fn borders(&self, name: &'static str) -> Result<[Border; 3], Error> {
        let names = Border::NAMES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let default = Border::default();
        let values = format!("{names}; one for rows and columns, or rows,columns, or frames,rows,columns");
        self.read(name, values, Some(([default; 3], default.to_string())), |text| {
            let borders: Result<Vec<Border>, _> = text.split(',').map(|name| name.trim().parse()).collect();
            match *borders.ok()? {
                [both] => Some([default, both, both]),
                [rows, columns] => Some([default, rows, columns]),
                [frames, rows, columns] => Some([frames, rows, columns]),
                _ => None,
            }
        })
    }

    pub(super) fn activation(&self, name: &'static str, default: Activation) -> Result<Activation, Error> {
        let values = "none, relu, relu6, leaky_relu:SLOPE, silu, hard_swish, sigmoid, hard_sigmoid, hard_sigmoid:SLOPE,OFFSET, tanh, gelu, \
                      gelu_tanh";
        self.parsed(name, values, Some(default))
    }

    pub(super) fn threshold(&self, name: &'static str) -> Result<ThresholdRule, Error> {
        self.parsed(name, "otsu, value:NUMBER, level:0..255", Some(ThresholdRule::default()))
    }

    /// A colour map that has a name.
    pub(super) fn color_map(&self, name: &'static str) -> Result<ColorMap, Error> {
        let named = |text: &str| match text {
            "turbo" => Some(ColorMap::Turbo),
            "viridis" => Some(ColorMap::Viridis),
            "grey" => Some(ColorMap::Grey),
            _ => None,
        };
        self.read(name, "turbo, viridis, grey".into(), Some((ColorMap::default(), "turbo".into())), named)
    }
}
