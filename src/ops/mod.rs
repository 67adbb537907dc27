//! Operators: one file each, `new` -> `bind` -> `record`.

pub(crate) mod attention_map;
pub(crate) mod pointwise_conv;
pub(crate) mod sasa_layer;
pub(crate) mod sasa_stem;
pub(crate) mod window_attention;
pub(crate) mod window_pool;
