//! What `host` adds for programs that keep their buffers, and that react to their user while the GPU works.

use std::time::Duration;

use visual_attention::{AttentionMap, AttentionMapBuffers, Element, Error, Nchw, Statistic, wgpu};

use crate::common;

#[test]
fn a_write_replaces_the_numbers_from_an_offset_on() {
    let Some(gpu) = common::gpu() else { return };
    let buffer = gpu.upload("buffer", &[1.0f32, 2.0, 3.0, 4.0]).unwrap();
    gpu.write(&buffer, 4, &[7.0f32, 8.0]).unwrap();
    assert_eq!(gpu.read::<f32>(buffer.slice(..)).unwrap(), [1.0, 7.0, 8.0, 4.0]);
    let beyond = gpu.write(&buffer, 12, &[0.0f32, 0.0]).unwrap_err();
    assert!(matches!(beyond, Error::Refused { .. }), "{beyond}");
    gpu.write(&buffer, 0, &[5.0f32]).unwrap();
    assert_eq!(gpu.read::<f32>(buffer.slice(..)).unwrap(), [5.0, 7.0, 8.0, 4.0]);
}

#[test]
fn a_wait_in_slices_ends_with_the_work() {
    // A device of its own: other tests would keep a shared one busy.
    let Some(gpu) = common::gpu_with(&wgpu::Limits::default()) else { return };
    let shape = Nchw::new(4, 64, 128, 128);
    let features = gpu.buffer("features", shape.elements().unwrap() * 4).unwrap();
    let map = gpu.upload("map", &vec![f32::NAN; shape.plane().elements().unwrap() as usize]).unwrap();
    let operator = AttentionMap::new(&gpu.device, Statistic::Rms, Element::F32).unwrap();
    let buffers = AttentionMapBuffers { features: features.slice(..), map: map.slice(..) };
    let recording = operator.bind(&gpu.device, shape, buffers).unwrap();
    gpu.run(|pass| recording.record(pass)).unwrap();
    let slice = Duration::from_millis(1);
    let slices = (0..60_000).map(|_| gpu.wait_for(slice)).take_while(|waited| {
        assert!(matches!(waited, Ok(()) | Err(Error::Timeout { .. })), "{waited:?}");
        waited.is_err()
    });
    assert!(slices.count() < 60_000);
    // All work is done, so no further time is needed.
    gpu.wait_for(Duration::ZERO).unwrap();
    assert!(gpu.read::<f32>(map.slice(..)).unwrap().iter().all(|&value| value == 0.0));
}
