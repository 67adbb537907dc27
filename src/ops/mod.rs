//! Operators: one file each, `new` -> `bind` -> `record`.

pub(crate) mod attention_map;
