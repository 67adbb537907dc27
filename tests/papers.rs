//! What the papers say about cost, from the operators' own figures.

use visual_attention::{
    Cost, Eca, Element, Nchw, SasaLayerOptions, SasaStemOptions, SqueezeExcite, SqueezeExciteOptions,
    SqueezeExciteShape, WindowAttentionOptions,
};

use crate::common;
use crate::compiler;

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
    let operator = SqueezeExcite::new(compiler::of(&gpu.device), SqueezeExciteOptions::STANDARD, Element::F32).unwrap();
    let (mut parameters, mut flops) = (0, 0);
    for (blocks, shape) in STAGES {
        let cost = operator.cost(SqueezeExciteShape { features: shape, reduced: shape.channels / 16 });
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

/// A dense convolution without bias, and the batch normalisation after it, whose scale and shift are parameters and whose
/// arithmetic nobody counts.
fn convolution(inputs: u64, outputs: u64, k: u64, out_pixels: u64) -> Cost {
    let weights = inputs * outputs * k * k;
    Cost { bytes: 0, flops: 2 * weights * out_pixels, parameters: weights + 2 * outputs }
}

/// ResNet-50 at 224 x 224, with the operators of the paper in the place of its spatial convolutions.
fn resnet_50(attention_stem: bool, attention: bool) -> Cost {
    let stem = if attention_stem {
        // Attention in 4 x 4 windows, then maxima over 4 x 4; batch normalisation in between. The figure depends on the number
        // of mixtures, which is inferred from it: 2 give it, 4, as in public code, would give 7.5.
        let stem = SasaStemOptions::new(8, 8, 16).with_mixtures(2);
        stem.cost(Nchw::new(1, 3, 224, 224), Element::F32) + Cost { parameters: 2 * 64, ..Cost::default() }
    } else {
        convolution(3, 64, 7, 112 * 112)
    };
    let head = Cost { bytes: 0, flops: 2 * 2048 * 1000, parameters: 2048 * 1000 + 1000 };
    let mut network = vec![stem, head];
    let mut inputs = 64;
    let mut side = 56u64;
    for (stage, blocks) in [3, 4, 6, 3].into_iter().enumerate() {
        let width = 64u64 << stage;
        for block in 0..blocks {
            // The first block of every stage but the first halves the picture: the convolution by its stride, attention by
            // the averages after it.
            let before = side;
            if block == 0 && stage > 0 {
                side /= 2;
            }
            network.push(convolution(inputs, width, 1, before * before));
            network.push(if attention {
                let layer = SasaLayerOptions::new(width as u32, WindowAttentionOptions::new(8, width as u32 / 8, 7));
                let normalisation = Cost { parameters: 2 * width, ..Cost::default() };
                layer.cost(Nchw::new(1, width as u32, before as u32, before as u32), Element::F32) + normalisation
            } else {
                convolution(width, width, 3, side * side)
            });
            network.push(convolution(width, 4 * width, 1, side * side));
            if block == 0 {
                network.push(convolution(inputs, 4 * width, 1, side * side));
            }
            inputs = 4 * width;
        }
    }
    network.into_iter().sum()
}

/// Table 1 of Stand-Alone Self-Attention (arXiv:1906.05909), ResNet-50: millions of parameters and GFLOPS.
#[test]
fn sasa_table_1() {
    let millions = |cost: Cost| format!("{:.1}", cost.parameters as f64 / 1e6);
    let giga = |cost: Cost| cost.flops as f64 / 1e9;
    let baseline = resnet_50(false, false);
    assert_eq!((millions(baseline).as_str(), format!("{:.1}", giga(baseline)).as_str()), ("25.6", "8.2"));
    let with_conv_stem = resnet_50(false, true);
    assert_eq!((millions(with_conv_stem).as_str(), format!("{:.1}", giga(with_conv_stem)).as_str()), ("18.0", "7.0"));
    let full = resnet_50(true, true);
    assert_eq!(millions(full), "18.0");
    assert!((giga(full) - 7.2).abs() < 0.1, "{}", giga(full));
}
