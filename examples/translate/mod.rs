//! From a shader's WGSL to a module that naga can write in a driver's language. Shared by `isa_report`, `shader_table` and
//! `tests/translations.rs`.

use std::borrow::Cow;

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{Module, ShaderStage};
use visual_attention::Element;
use visual_attention::shaders::Variant;

/// With 16-bit floats as the only capability.
pub(crate) fn parse(source: &str) -> Result<(Module, ModuleInfo), String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|error| error.emit_to_string(source))?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::SHADER_FLOAT16)
        .validate(&module)
        .map_err(|error| error.emit_to_string(source))?;
    Ok((module, info))
}

/// The module of one pipeline.
pub(crate) fn with_constants<'a>(
    module: &'a Module,
    info: &'a ModuleInfo,
    entry_point: &'static str,
    constants: &[(&'static str, f64)],
) -> Result<(Cow<'a, Module>, Cow<'a, ModuleInfo>), String> {
    let constants = constants.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
    let entry = Some((ShaderStage::Compute, entry_point));
    naga::back::pipeline_constants::process_overrides(module, info, entry, &constants)
        .map_err(|error| error.to_string())
}

/// As in `f16x4`, `f16 inner f32` and `f32 length 8`.
pub(crate) fn label(variant: Variant) -> String {
    let name = |element| if element == Element::F16 { "f16" } else { "f32" };
    let mut label = name(variant.element).to_owned();
    if variant.lanes > 1 {
        label += &format!("x{}", variant.lanes);
    }
    if variant.inner != variant.element {
        label += &format!(" inner {}", name(variant.inner));
    }
    if variant.length > 0 {
        label += &format!(" length {}", variant.length);
    }
    label
}
