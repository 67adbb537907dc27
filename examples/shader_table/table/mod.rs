//! Every module of the shader table and its pipelines, in every language. Shared with `tests/translations.rs`.

mod languages;
#[path = "../../translate/mod.rs"]
mod translate;

use visual_attention::Element;
use visual_attention::shaders::{self, Shader, Variant};

pub(crate) use languages::Translations;

/// A variant of a kernel.
pub(crate) struct Module {
    pub(crate) label: String,
    pub(crate) entry_point: &'static str,
    pub(crate) f16: bool,
    pub(crate) wgsl: String,
    pub(crate) pipelines: Vec<Pipeline>,
}

pub(crate) struct Pipeline {
    pub(crate) constants: Vec<(&'static str, f64)>,
    pub(crate) translations: Translations,
}

/// What operators compile, and the same for tensors that share a buffer.
pub(crate) fn modules() -> impl Iterator<Item = Result<Module, String>> {
    let variants = shaders::ALL.iter().flat_map(|shader| shader.variants.iter().map(move |&variant| (shader, variant)));
    variants.flat_map(|(shader, variant)| {
        let (alone, shared) = (shader.source(variant), shader.shared_source(variant));
        let same = alone == shared;
        let label = format!("{} {}", shader.name, translate::label(variant));
        let shared = (!same).then(|| module(shader, variant, format!("{label} shared"), shared));
        [module(shader, variant, label, alone)].into_iter().chain(shared)
    })
}

fn module(shader: &Shader, variant: Variant, label: String, wgsl: String) -> Result<Module, String> {
    let f16 = variant.element == Element::F16;
    let failed = |problem: String| format!("{label}: {problem}");
    let (module, info) = translate::parse(&wgsl).map_err(failed)?;
    let pipeline = |constants: Vec<(&'static str, f64)>| {
        let (module, info) = translate::with_constants(&module, &info, shader.name, &constants)?;
        let translations = Translations::new(&module, &info, shader.name, f16)?;
        Ok(Pipeline { constants, translations })
    };
    let pipelines = shader.constants().into_iter().map(pipeline).collect::<Result<_, String>>().map_err(failed)?;
    Ok(Module { label, entry_point: shader.name, f16, wgsl, pipelines })
}
