//! naga's translations of every pipeline, for the drivers that this machine has not. `tests/run.sh --drivers` gives them to the
//! validators of SPIR-V and GLSL.

#[path = "../examples/shader_table/table/mod.rs"]
mod table;

use visual_attention::shaders;

/// With every set of constants, and for tensors that share a buffer too.
#[test]
fn every_pipeline_in_every_language() {
    let mut pipelines = 0;
    for module in table::modules() {
        let module = module.unwrap_or_else(|problem| panic!("{problem}"));
        let entry_point = module.entry_point;
        assert!(module.wgsl.contains(&format!("fn {entry_point}(")), "{}", module.label);
        for pipeline in module.pipelines {
            let (label, constants) = (&module.label, &pipeline.constants);
            let written = pipeline.translations;
            assert_eq!(written.glsl.is_none(), module.f16, "{label}: GLSL has no 16-bit floats");
            assert_eq!(written.spirv[0], 0x0723_0203, "{label}, {constants:?}: SPIR-V's first word");
            for (text, entry) in [
                (&written.msl, &*format!("kernel void {entry_point}")),
                (&written.hlsl, "[numthreads("),
                (written.glsl.as_ref().unwrap_or(&"void main()".to_owned()), "void main()"),
            ] {
                assert!(text.contains(entry), "{label}, {constants:?}: no `{entry}` in\n{text}");
            }
            pipelines += 1;
        }
    }
    let listed = |shader: &shaders::Shader| shader.variants.len() * shader.constants().len();
    let listed: usize = shaders::ALL.iter().map(listed).sum();
    assert!((listed..=2 * listed).contains(&pipelines), "{pipelines} pipelines of {listed}");
}
