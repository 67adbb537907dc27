//! Every base and every origin of every kernel is used: a test divides the work so that each is above zero.
//!
//! A binding starts at an aligned offset, and a dispatch at a workgroup, so kernels add a base to their element index and an origin to
//! their workgroup index. Both are zero wherever work is whole, which hides a kernel that ignores them.

use std::collections::BTreeMap;

use visual_attention::wgpu::{self, Limits};
use visual_attention::{Error, Nchw, Recording, shaders};

use crate::common::catalogue::{Entry, catalogue_of};
use crate::common::fixture::{Fixture, read};
use crate::common::{self, TestGpu};
use crate::heat_overlay::{dividing, drawn};
use crate::planes_to_texture::written;
use crate::texture_to_planes;

/// Members of `Params` that say where the tensors and the workgroups of a dispatch begin.
fn is_place(member: &str) -> bool {
    member.ends_with("_base")
        || member.starts_with("origin")
        || ["first_plane", "first_image", "first_row", "plane"].contains(&member)
}

/// Those that no plan sets, with the reason.
const ALWAYS_ZERO: [(&str, &str, &str); 3] = [
    ("largest_component_pick", "origin_y", "it has one workgroup on y, and the parameters of its neighbours"),
    ("threshold_histogram", "bins_base", "a histogram has 1024 bytes, a multiple of every alignment"),
    ("threshold_otsu", "bins_base", "a histogram has 1024 bytes, a multiple of every alignment"),
];

/// Operators that divide planes into chunks.
const PLANES: &[&str] =
    &["global_pool", "channel_scale", "squeeze_excite", "eca", "bisenet", "spatial_gate", "cbam", "scse"];

/// A shape, the largest binding and the workgroups of a dispatch that divide it, and the operators that are asked; all if none is named.
type Division = (Nchw, u64, u32, &'static [&'static str]);

const DIVISIONS: &[Division] = &[
    // Images of odd sizes, and of sizes that divide by 4 but not by an alignment.
    (Nchw::new(5, 4, 29, 31), 16 << 10, 2, &[]),
    (Nchw::new(7, 4, 6, 6), 2 << 10, 1, &[]),
    (Nchw::new(9, 4, 5, 7), 8 << 10, 1, &["sasa", "window_attention_weights"]),
    // More columns, rows, channels and chunks of a plane than the workgroups of a dispatch have.
    (Nchw::new(1, 4, 3, 600), 1 << 20, 2, &[]),
    (Nchw::new(1, 4, 300, 3), 1 << 20, 2, &[]),
    (Nchw::new(1, 4, 3, 3000), 2 << 20, 2, &["head_norm_rotary_backward", "sasa_stem_backward"]),
    (Nchw::new(2, 40, 6, 7), 1 << 20, 1, PLANES),
    (Nchw::new(2, 72, 65, 64), 2 << 20, 1, &["pointwise_conv_backward"]),
    // More channels than one workgroup has invocations.
    (Nchw::new(2, 272, 1, 3), 1 << 20, 1, PLANES),
    // Heads that are attended to in several chunks of channels.
    (Nchw::new(2, 140, 6, 7), 1 << 20, 1, &["cross_attention", "window_attention", "merge_attention"]),
    // More entries of a bias table than a workgroup has invocations.
    (Nchw::new(2, 4, 9, 50), 1 << 20, 1, &["window_attention_backward Bias wide"]),
    // Two images of runs in a dispatch, and one image of labels.
    (Nchw::new(5, 4, 81, 19), 6656, 8, &["largest_component", "component_labels"]),
    (Nchw::new(1, 4, 400, 401), 4 << 20, 1, &["normalize", "largest_component", "component_labels"]),
    (Nchw::new(1, 4, 1, 16_391), 1 << 20, 1, PLANES),
    (Nchw::new(1, 4, 2, 32_780), 2 << 20, 1, PLANES),
];

fn run(gpu: &TestGpu, entry: &Entry) -> Result<(Vec<u8>, Recording), Error> {
    let fixture = Fixture::new(&gpu.device, entry)?;
    let archive = fixture.archive(&gpu.device, 1);
    let mut encoder = gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    fixture.record(&mut encoder, &archive, 0);
    gpu.queue.submit([encoder.finish()]);
    Ok((read(&gpu.device, &gpu.queue, &archive), fixture.recording))
}

#[test]
fn every_base_and_every_origin_is_used() {
    let Some(gpu) = common::gpu() else { return };
    let members = shaders::ALL.iter().flat_map(|shader| shader.params.iter().map(|member| (shader.name, member.name)));
    let mut seen: BTreeMap<_, bool> = members.filter(|(_, member)| is_place(member)).map(|key| (key, false)).collect();
    let mut look = |recording: &Recording| {
        for (dispatch, (member, value)) in
            recording.dispatches().flat_map(|dispatch| dispatch.params().into_iter().map(move |of| (dispatch, of)))
        {
            if let Some(seen) = seen.get_mut(&(dispatch.label(), member)) {
                *seen |= value != 0;
            }
        }
    };
    let limited = |bytes, groups| {
        common::gpu_with(&Limits {
            max_storage_buffer_binding_size: bytes,
            max_compute_workgroups_per_dimension: groups,
            ..Limits::default()
        })
    };
    for (seed, (shape, bytes, groups, operators)) in (0..).zip(DIVISIONS.iter().copied()) {
        let Some(limited) = limited(bytes, groups) else { return };
        // The element type changes bases, not origins.
        let elements = gpu.elements().into_iter().take(if seed == 0 { 2 } else { 1 });
        for element in elements {
            let asked = |label: &str| operators.is_empty() || operators.iter().any(|name| label.starts_with(name));
            for entry in catalogue_of(element, shape, seed, asked) {
                // What needs a whole image or all weights at once may not fit.
                let Ok((divided, recording)) = run(&limited, &entry) else { continue };
                let (whole, undivided) = run(gpu, &entry).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
                let (dispatches, more) = (undivided.dispatches().len(), recording.dispatches().len());
                let what = format!("{} {shape} under {bytes} bytes", entry.name);
                assert!(divided == whole, "{what}: {dispatches} dispatches and {more} give different bits");
                // Weights alone are not divided.
                let may_be_whole =
                    seed > 0 || ["dense", "window_attention_weights", "sasa"].iter().any(|name| what.starts_with(name));
                assert!(more > dispatches || may_be_whole, "{what}: {more} dispatches, nothing was divided");
                look(&recording);
            }
        }
    }
    for element in gpu.elements() {
        let Some(limited) = dividing(element) else { return };
        let ((recording, divided, _), (_, whole, _)) = (drawn(&limited, element), drawn(gpu, element));
        assert!(divided == whole, "overlay as a texture, {element:?}: other bits");
        look(&recording);
    }
    let Some(limited) = texture_to_planes::dividing() else { return };
    for element in gpu.elements() {
        let ((recording, divided), (_, whole)) =
            (texture_to_planes::read(&limited, element), texture_to_planes::read(gpu, element));
        assert!(divided == whole, "planes of a texture, {element:?}: other bits");
        look(&recording);
        for ((recording, divided), (_, whole)) in written(&limited, element).into_iter().zip(written(gpu, element)) {
            assert!(divided == whole, "texture of planes, {element:?}: other bits");
            look(&recording);
        }
    }
    let zero: Vec<_> = seen.iter().filter(|&(_, &seen)| !seen).map(|(&key, _)| key).collect();
    let expected: Vec<_> = ALWAYS_ZERO.iter().map(|&(shader, member, _)| (shader, member)).collect();
    assert_eq!(zero, expected, "never other than zero");
}
