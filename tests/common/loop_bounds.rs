//! How often one invocation of each operator's kernels goes round its loops at most, outer and inner ones together, read from
//! the shaders and not from the host, whichever of a GPU's and a software adapter's variants goes round more often. Left out:
//! trees over a workgroup, of at most 8 rounds, and union-find's paths, which the data decide
//! (`shaders/shared/component_union.wgsl`).

use visual_attention::{Nchw, Nhw, SasaStemOptions, Size, WindowAttentionOptions};

/// What the contract allows: a driver that ends loops silently does so after 65,535.
pub(crate) const MOST: u64 = (1 << 15) - 1;

/// A sum in blocks: its terms, and a round for each block of 32 or more.
fn summed(terms: u64) -> u64 {
    terms.saturating_add(terms.div_ceil(32))
}

/// Terms that one invocation may sum up.
const MOST_TERMS: u64 = MOST * 32 / 33;

fn loads(size: Size) -> u64 {
    let pixels = size.pixels();
    if pixels.is_multiple_of(4) { pixels / 4 } else { pixels }
}

/// Over the channels of a pixel, which 32 invocations share where one could not.
pub(crate) fn channels(shape: Nchw) -> u64 {
    let channels = u64::from(shape.channels);
    summed(if channels > MOST_TERMS { channels.div_ceil(32) } else { channels })
}

/// At most 16 workgroups of 256 invocations for each image, one for each 4096 pixels; or 64 invocations alone, or as many as it
/// takes. Then all of their results, and up to 64 pixels.
pub(crate) fn normalize(shape: Nhw) -> u64 {
    let pixels = shape.size().pixels();
    let shared = pixels.div_ceil(256 * pixels.div_ceil(4096).clamp(1, 16));
    let shares = (pixels / 1024).clamp(1, 64).max(pixels.div_ceil(MOST));
    shared.max(pixels.div_ceil(shares)).max(shares + 64)
}

/// Rows and columns that at most 64 workgroups, one for each 16 rows, of `lanes` invocations share.
fn rows_and_columns(size: Size, lanes: u64) -> u64 {
    let shares = u64::from(size.height).div_ceil(16).clamp(1, 64);
    u64::from(size.height).div_ceil(shares).saturating_mul(1 + u64::from(size.width).div_ceil(lanes))
}

pub(crate) fn bounding_box(shape: Nhw) -> u64 {
    rows_and_columns(shape.size(), 64).max(64)
}

/// Each invocation then adds one bin of 256. Otsu's own search is a few hundred rounds of fixed length.
pub(crate) fn histogram(size: Size) -> u64 {
    rows_and_columns(size, 256) + 1
}

/// Tiles of 32 by 8 pixels, 256 invocations in at most 8 parts; a tile has at most 38 components that reach its border: every
/// other one of its 76 border pixels. Finding no more takes a round, and so does the tile.
pub(crate) fn largest_component(shape: Nhw) -> u64 {
    let tiles = u64::from(shape.width).div_ceil(32) * u64::from(shape.height).div_ceil(8);
    tiles.div_ceil(256 * tiles.div_ceil(256).clamp(1, 8)) * 40
}

/// Loads of a plane that one workgroup has: 16,384, or a 64th of the plane where that is more.
fn chunk(shape: Nchw) -> u64 {
    loads(shape.size()).div_ceil(64).max(16_384)
}

fn parts(shape: Nchw) -> u64 {
    loads(shape.size()).div_ceil(chunk(shape)).max(1)
}

/// One invocation for each part of a plane, 256 in planes of more than 2^20 loads, then one for all parts.
pub(crate) fn pool(shape: Nchw) -> u64 {
    let loads = loads(shape.size());
    summed(if loads <= 1 << 20 { chunk(shape).min(loads).max(64) } else { chunk(shape).div_ceil(256).max(64) })
}

/// One invocation for each row, 32 where one could not; both inputs, of `parts` numbers each.
pub(crate) fn dense(inputs: u32, second: u32, parts: u64) -> u64 {
    let lanes = if inputs.is_multiple_of(4) && second.is_multiple_of(4) && parts == 1 { 4 } else { 1 };
    let of = |sharing: u64| {
        let loads = |inputs: u32| (u64::from(inputs) / lanes).div_ceil(sharing);
        // Loops over the parts of a number and over a second input are reached for every load, whether there are any or not.
        (loads(inputs) + loads(second)).saturating_mul(5 + 2 * parts)
    };
    if of(1) > MOST { of(32) } else { of(1) }
}

/// The first layer of a gate on pooled vectors: `both` for means and maxima.
pub(crate) fn layer(shape: Nchw, both: bool) -> u64 {
    dense(shape.channels, if both { shape.channels } else { 0 }, parts(shape))
}

/// A gate of `terms` products in each invocation, of which 256 share them where there are too many, then up to 4096 loads of 8.
pub(crate) fn scale(shape: Nchw, terms: u32) -> u64 {
    let terms = u64::from(terms);
    let alone = if terms > MOST_TERMS / 2 { terms.div_ceil(256) } else { terms };
    let shared = terms.div_ceil(if loads(shape.size()) < 256 { 16 } else { 256 });
    summed(alone.max(shared)) + 512
}

/// Two planes of `kernel` by `kernel`, and where each row and plane begins.
pub(crate) fn spatial_gate_conv(kernel: u32) -> u64 {
    let k = u64::from(kernel);
    (2 * k).saturating_mul(k + 1).saturating_add(2)
}

/// Of an operator with options as text.
pub(crate) fn by_name(name: &str, options: &[(&str, String)]) -> u64 {
    match name {
        "window_pool" => {
            let window = options.iter().find(|(option, _)| *option == "window").map(|(_, text)| text.split(','));
            let sides: Vec<u64> = window.expect("a window").map(|side| side.parse().expect("a side")).collect();
            sides[0].saturating_mul(sides[1]).saturating_add(sides[0])
        }
        // Blocks of an image, refused where they are too many.
        "component_labels" => MOST,
        // Bisections of up to 2^32 labels for each of 512.
        "region_measures" => 512 * 34,
        // Eight channels.
        "merge_attention" => 8,
        // Bound by `bind`, which knows the keys, or the channels and pixels.
        "bisenet_backward" | "channel_scale_backward" => MOST,
        "cross_attention" | "cross_attention_backward" | "merge_attention_backward" => MOST,
        // Heads of 16,000 channels: their squares, and each of them.
        "head_norm_rotary" => summed(16_000) + 16_000,
        // The squares, the products with the normalised channels, and each channel.
        "head_norm_rotary_backward" => 2 * summed(10_000) + 10_000,
        other => panic!("no bound on the loops of {other}"),
    }
}

pub(crate) fn pointwise_conv(inputs: u32, groups: u32) -> u64 {
    summed(u64::from(inputs / groups.max(1)))
}

/// At the least, however its keys are blocked: each column's term, then its keys, 12 at a time, each over the head's channels
/// and 8 sums.
pub(crate) fn window_attention(options: &WindowAttentionOptions) -> u64 {
    let [frames, mut rows, mut columns] = options.axes.map(|axis| u64::from(axis.keys));
    if rows == 1 {
        std::mem::swap(&mut rows, &mut columns);
    }
    let [head_dim, value_dim] = [options.head_dim, options.value_dim].map(u64::from);
    let column = rows.div_ceil(12) * (head_dim + value_dim.min(8) + 1) + 1;
    frames.saturating_mul(columns).saturating_mul(column).saturating_add(head_dim)
}

/// 64 invocations share the entries: logits over the channels, then their sum, then the shares.
pub(crate) fn window_attention_weights(options: &WindowAttentionOptions) -> u64 {
    options.keys().div_ceil(64).saturating_mul(3 + u64::from(options.head_dim))
}

/// Each entry over the head's channels, then mixtures for each of at most 8 sums, and what is written; and the mixture's own
/// kernel, embeddings for each mixture and two rounds more.
pub(crate) fn stem(options: &SasaStemOptions) -> u64 {
    let [mixtures, head_dim, embeddings] = [options.mixtures, options.head_dim, options.embeddings].map(u64::from);
    let sums = head_dim.min(8);
    let entry = 1 + head_dim + sums.saturating_mul(1 + mixtures);
    let attention =
        options.window.pixels().saturating_mul(entry).saturating_add(u64::from(options.window.height) + sums);
    attention.max(mixtures.saturating_mul(3 + embeddings))
}

/// Each entry over the head's channels twice, and over the mixed values of all channels; and the embeddings' kernel, for each mixture the
/// softmax of each entry of a row or a column, or of all entries.
pub(crate) fn stem_backward(options: &SasaStemOptions) -> u64 {
    let [mixtures, head_dim, embeddings] = [options.mixtures, options.head_dim, options.embeddings].map(u64::from);
    let entries = options.window.pixels();
    let values = head_dim.saturating_mul(1 + mixtures);
    let walk = entries.saturating_mul(2 * (1 + head_dim) + values).saturating_add(2 * u64::from(options.window.height));
    let line = u64::from(options.window.height.max(options.window.width));
    let tables = mixtures.saturating_mul(1 + line.saturating_mul(1 + mixtures));
    let mix = entries.saturating_mul(1 + mixtures).saturating_add(u64::from(options.window.height));
    walk.max(tables).max(mix).max(mixtures.saturating_mul(3 + embeddings))
}
