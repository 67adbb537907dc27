//! Operators: one file each, `new` -> `bind` -> `record`.

pub(crate) mod attention_map;
pub(crate) mod bisenet;
pub(crate) mod cbam;
pub(crate) mod channel_scale;
pub(crate) mod dense;
pub(crate) mod eca;
pub(crate) mod global_pool;
pub(crate) mod scse;
pub(crate) mod squeeze_excite;
