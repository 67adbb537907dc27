//! What the papers say about cost, from the operators' own figures.

use visual_attention::{Eca, Element, Nchw, SqueezeExcite, SqueezeExciteOptions};

use crate::common;

/// ResNet-50's stages: blocks, and the output of each.
const STAGES: [(u64, Nchw); 4] = [
    (3, Nchw::new(1, 256, 56, 56)),
    (4, Nchw::new(1, 512, 28, 28)),
    (6, Nchw::new(1, 1024, 14, 14)),
    (3, Nchw::new(1, 2048, 7, 7)),
];

/// Hu et al. 2018, Sec. 4: SE-ResNet-50 at r = 16 has 2.5 million parameters more than ResNet-50's 25.6 million (28.1 in all),
/// and at 3.87 GFLOPs takes 0.26 % more than its 3.86. The paper counts a multiply-add as one.
#[test]
fn se_resnet_50() {
    let Some(gpu) = common::gpu() else { return };
    let operator = SqueezeExcite::new(&gpu.device, SqueezeExciteOptions::STANDARD, Element::F32).unwrap();
    let (mut parameters, mut flops) = (0, 0);
    for (blocks, shape) in STAGES {
        let cost = operator.cost(shape, shape.channels / 16);
        parameters += blocks * cost.parameters;
        flops += blocks * cost.flops;
    }
    // Eq. 5: 2/r times the sum of N_s C_s^2.
    assert_eq!(parameters, 2_514_944);
    assert_eq!((parameters + 50_000) / 100_000, 25, "2.5 million");
    let share = flops as f64 / 2.0 / 3.86e9;
    assert!(share <= 0.0026, "{share}");
    assert!(share > 0.0015, "{share}: part of the operator is not counted");
}

/// Wang et al. 2020, Sec. 3.2.3: with gamma 2 and b 1, 64 channels have 3 taps, 128 to 512 have 5, 1024 and 2048 have 5 and 7
/// by the authors' code, which rounds an even result up.
#[test]
fn eca_taps() {
    for channels in 1..5000u32 {
        let t = ((f64::from(channels).log2() + 1.0) / 2.0).abs() as u32;
        let authors = if t % 2 == 1 { t } else { t + 1 };
        assert_eq!(Eca::taps(channels), authors, "{channels}");
    }
    assert_eq!([64, 128, 256, 512, 1024, 2048].map(Eca::taps), [3, 5, 5, 5, 5, 7]);
}
