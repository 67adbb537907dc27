//! Operators: one file each, `new` -> `bind` -> `record`.

pub(crate) mod attention_map;
pub(crate) mod window_attention;
