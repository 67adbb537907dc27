//! Figures that the papers print, from the operators' cost functions.

use visual_attention::{Cost, Element, Nchw, SasaLayerOptions, SasaStemOptions, Size, WindowAttentionOptions};

/// A dense convolution without bias, and the batch normalisation after it, whose scale and shift are parameters and whose
/// arithmetic nobody counts.
fn convolution(inputs: u64, outputs: u64, k: u64, out_pixels: u64) -> Cost {
    let weights = inputs * outputs * k * k;
    Cost { bytes: 0, flops: 2 * weights * out_pixels, parameters: weights + 2 * outputs }
}

/// ResNet-50 at 224 x 224, with the operators of the paper in the place of its spatial convolutions.
fn resnet_50(attention_stem: bool, attention: bool) -> Cost {
    let stem = if attention_stem {
        // Attention in 4 x 4 windows, then maxima over 4 x 4; batch normalisation in between. The paper does not print how many
        // mixtures it has: 2 give its figure, 4 would give 7.5.
        let stem = SasaStemOptions {
            inputs: 3,
            heads: 8,
            depth: 8,
            window: Size::new(4, 4),
            padding: Size::new(2, 2),
            mixtures: 2,
            embeddings: 16,
            scale: 1.0,
        };
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
                let layer = SasaLayerOptions {
                    inputs: width as u32,
                    groups: 1,
                    attention: WindowAttentionOptions::new(8, width as u32 / 8, 7),
                };
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
