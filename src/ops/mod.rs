//! Operators: one file each, `new` -> `bind` -> `record`.

pub(crate) mod attended_region;
pub(crate) mod attention_map;
pub(crate) mod bounding_box;
pub(crate) mod crop_resize;
pub(crate) mod heat_overlay;
pub(crate) mod largest_component;
pub(crate) mod normalize;
pub(crate) mod resize;
pub(crate) mod threshold;
