//! Chooses the variant of a kernel from the shape and the type of adapter. Every tuned number is here.

use super::rounds::{MAX_ROUNDS, MAX_TERMS};
use super::shader::{Overrides, group};

/// Shape of a workgroup: `sharing` invocations share one reduction, and `across` reductions are side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Team {
    pub(crate) sharing: u32,
    pub(crate) across: u32,
}

const fn team(sharing: u32, across: u32) -> Team {
    Team { sharing, across }
}

// A GPU needs many invocations, and neighbouring invocations must read neighbouring elements. So the invocations of a workgroup
// share a reduction wherever reductions are few. On a software adapter a barrier costs more than sharing saves, and a single
// workgroup keeps a core busy. There each invocation works alone, except in reductions that exceed `MAX_ROUNDS`.

/// Workgroup shapes for reducing planes to a number.
pub(crate) const fn plane_teams(software: bool) -> &'static [Team] {
    if software { const { &[team(1, 8), team(256, 1)] } } else { const { &[team(16, 16), team(256, 1)] } }
}

/// Workgroup shapes for scaling planes by a gate. With fewer than 16 invocations per plane, each computes the gate itself.
pub(crate) const fn scale_teams(software: bool) -> &'static [Team] {
    if software { const { &[team(8, 8), team(256, 1), team(1, 8)] } } else { const { &[team(16, 16), team(256, 1)] } }
}

/// Overrides of kernels that reduce the channels of each pixel: every shape of [`channel_teams`], `across` before `sharing`.
pub(crate) const PIXELS_BY_CHANNELS: Overrides =
    group(&["PIXELS", "CHANNELS"], &[&[64.0, 1.0], &[8.0, 32.0], &[8.0, 1.0]]);
/// Overrides of kernels that reduce planes: every shape of [`plane_teams`].
pub(crate) const PIXELS_BY_PLANES: Overrides =
    group(&["PIXELS", "PLANES"], &[&[256.0, 1.0], &[16.0, 16.0], &[1.0, 8.0]]);
/// Overrides of kernels that scale planes: every shape of [`scale_teams`].
pub(crate) const SCALED_BY_PLANES: Overrides =
    group(&["PIXELS", "PLANES"], &[&[256.0, 1.0], &[16.0, 16.0], &[8.0, 8.0], &[1.0, 8.0]]);
/// Overrides of kernels that multiply by a matrix: every shape of [`layer_teams`].
pub(crate) const INPUTS_BY_ROWS: Overrides = group(&["INPUTS", "ROWS"], &[&[32.0, 8.0], &[1.0, 8.0]]);
/// Overrides of kernels that sum up the columns of a matrix: every shape of [`channel_teams`].
pub(crate) const COLUMNS_BY_ROWS: Overrides = group(&["COLUMNS", "ROWS"], PIXELS_BY_CHANNELS.values);
/// Overrides of kernels with one invocation for each number of a vector: every size of [`vector_group`].
pub(crate) const VECTOR_GROUPS: Overrides = group(&["WORKGROUP_SIZE"], &[&[64.0], &[8.0]]);
/// Overrides of kernels that search a map for its range: every size of [`range_group`].
pub(crate) const RANGE_GROUPS: Overrides = group(&["WORKGROUP_SIZE"], &[&[256.0], &[8.0]]);
/// Overrides of window attention: every [`WindowTile`].
pub(crate) const WINDOW_TILES: Overrides =
    group(&["BLOCKS", "SPLIT"], &[&[1.0, 1.0], &[2.0, 1.0], &[3.0, 1.0], &[1.0, 2.0], &[1.0, 4.0], &[1.0, 8.0]]);

/// Overrides of the walks of window attention's gradient: every [`WalkTile`].
pub(crate) const WALK_TILES: Overrides = group(&["BLOCKS"], &[&[1.0], &[2.0], &[3.0]]);

/// Index in [`plane_teams`] for planes of `loads` vectors.
pub(crate) const fn plane_team(software: bool, loads: u64) -> usize {
    let few = if software { 1 << 20 } else { 255 };
    (loads > few) as usize
}

/// Index in [`plane_teams`] for planes of `pixels` pixels, each of which one workgroup goes through as a whole.
pub(crate) const fn whole_plane_team(software: bool, pixels: u64) -> usize {
    let few = if software { 1 << 14 } else { 255 };
    (pixels > few) as usize
}

/// Index in [`scale_teams`] for planes of `loads` vectors and gates of `terms` terms. `loads` is 0 if only the gate is computed.
pub(crate) const fn scale_team(software: bool, loads: u64, terms: u64) -> usize {
    match software {
        true if terms > MAX_TERMS / 2 => 1,
        // If one invocation computes a whole plane, no lane is idle in a plane's last vector.
        true if loads < 64 => 2,
        true => 0,
        false => (loads > 255) as usize,
    }
}

/// Whether a gate of `terms` terms is summed up by a dispatch of its own, before the planes are scaled. On a
/// software adapter every invocation that scales a plane would otherwise run over all terms.
pub(crate) const fn gate_apart(software: bool, terms: u64) -> bool {
    software && terms > 8
}

/// Workgroup shapes for reducing the channels of each pixel.
pub(crate) const fn channel_teams(software: bool) -> &'static [Team] {
    if software { const { &[team(1, 64), team(32, 8), team(1, 8)] } } else { const { &[team(1, 64), team(32, 8)] } }
}

/// Index in [`channel_teams`] for `channels` channels of `loads` vectors each.
pub(crate) const fn channel_team(software: bool, loads: u64, channels: u32) -> usize {
    match software {
        _ if channels as u64 > MAX_TERMS => 1,
        // Smaller workgroups, so that every core gets a share of the few pixels.
        true if loads < 512 => 2,
        true => 0,
        false => (loads < 4096) as usize,
    }
}

/// Workgroup shapes for multiplying by a matrix, row by row.
pub(crate) const fn layer_teams(software: bool) -> &'static [Team] {
    if software { const { &[team(1, 8), team(32, 8)] } } else { const { &[team(32, 8)] } }
}

/// Index in [`layer_teams`], if one invocation alone would have `rounds` [`layer_rounds`] for a row.
pub(crate) const fn layer_team(software: bool, rounds: u64) -> usize {
    (software && rounds > MAX_ROUNDS) as usize
}

/// Rounds of an invocation that multiplies `loads` vectors, whose numbers were each pooled in `parts` parts. A software driver
/// also counts the loops over the parts of a single number, and the loops over an absent second input.
pub(crate) const fn layer_rounds(loads: u64, parts: u64) -> u64 {
    loads.saturating_mul(5 + 2 * parts)
}

/// Invocations of a workgroup that computes the numbers of a vector one by one.
pub(crate) const fn vector_group(software: bool) -> u32 {
    if software { 8 } else { 64 }
}

/// Invocations of a workgroup that searches a map for its range: see [`ranges`].
pub(crate) const fn range_group(software: bool) -> u32 {
    if software { 8 } else { 256 }
}

/// How a map is searched for its range in a first pass, and scaled by the range in a second pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ranges {
    /// Parts of the map that are searched separately. Each invocation of the second pass reads the ranges of all shares.
    pub(crate) shares: u32,
    /// Invocations that search one share.
    pub(crate) sharing: u32,
    /// Shares that one workgroup searches.
    pub(crate) across: u32,
    /// Pixels that each invocation of the second pass scales.
    pub(crate) each: u32,
}

/// The choice for a map of `pixels` pixels.
pub(crate) fn ranges(software: bool, pixels: u32) -> Ranges {
    let group = range_group(software);
    if software {
        // There are more than 64 shares only if a share would otherwise exceed `MAX_ROUNDS`.
        let shares = (pixels / 1024).clamp(1, 64).max(pixels.div_ceil(MAX_ROUNDS as u32));
        return Ranges { shares, sharing: 1, across: group, each: (pixels / 1024).clamp(1, 64) };
    }
    Ranges {
        shares: pixels.div_ceil(4096).clamp(1, 16),
        sharing: group,
        across: 1,
        // First enough workgroups for any GPU, then more pixels for each invocation.
        each: (pixels / 16_384).clamp(1, 16),
    }
}

/// Lengths of the accumulator array that window attention is compiled for. The shortest that holds a whole head is used. Deeper heads run
/// in chunks of the longest, and recompute the logits for each chunk. GPUs keep up to 16 sums of four queries in registers; a longer
/// array would lie in memory. They divide deeper heads among invocations, and use chunks only for heads that do not divide evenly.
pub(crate) const WINDOW_LENGTHS: [u32; 4] = [8, 16, 32, 64];

/// Channels that one invocation sums up for a single query or key, if its head has `channels`: as [`WINDOW_LENGTHS`], of one query in place
/// of four. GPUs take few, so that small images have enough invocations.
pub(crate) fn sum_length(software: bool, channels: u32) -> u32 {
    let most = if software { 64 } else { 16 };
    WINDOW_LENGTHS.into_iter().find(|&length| length >= channels.min(most)).unwrap_or(most)
}

/// How window attention computes the windows of four queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowTile {
    /// Channels that one invocation sums up.
    pub(crate) length: u32,
    /// Keys of a block, divided by 4.
    pub(crate) blocks: u32,
    /// Invocations that share the channels of one query.
    pub(crate) split: u32,
    /// Loop rounds of one invocation.
    pub(crate) rounds: u64,
}

/// The choice for heads whose queries and keys have `head_dim` channels and whose values have `value_dim`, if the windows of four queries
/// together cover `keys` frames, rows and columns of keys. `tables` says whether the position tables are those of the axes.
pub(crate) fn window_tile(
    software: bool,
    [head_dim, value_dim]: [u32; 2],
    [frames, rows, columns]: [u32; 3],
    tables: bool,
) -> WindowTile {
    let length = match WINDOW_LENGTHS {
        [few, ..] if value_dim <= few => few,
        [few, ..]
            if !software && !value_dim.is_multiple_of(16) && value_dim.is_multiple_of(few) && value_dim <= 8 * few =>
        {
            few
        }
        [_, some, ..] if !software || value_dim <= some => some,
        [_, _, many, _] if value_dim <= many => many,
        [.., most] => most,
    };
    let divided = !software && value_dim.is_multiple_of(length);
    let split = if divided { (value_dim / length).next_power_of_two().min(MOST_SPLIT) } else { 1 };
    let passes = |blocks: u32| u64::from(rows.div_ceil(4 * blocks));
    let of = |blocks: u32| {
        let own = u64::from(if split > 1 { window_share(head_dim, length, split) } else { head_dim });
        let products = own * if tables { 2 } else { 1 } + if split > 1 { 4 + u64::from(split) } else { 0 };
        // The largest extents overflow `u64`. They saturate, and are refused.
        let blocks_of_keys = passes(blocks).saturating_mul(frames.into()).saturating_mul(columns.into());
        let rounds = blocks_of_keys.saturating_mul(products + u64::from(length) + 1);
        // The terms of a block of rows and of a frame are computed once for all columns.
        let once = passes(blocks).saturating_add(1).saturating_mul(frames.into()).saturating_mul(own);
        let rounds = if tables { rounds.saturating_add(once) } else { rounds };
        WindowTile { length, blocks, split, rounds }
    };
    // A block costs one load for each key, and a pass over the sums.
    let fewest_loads =
        |most: u32| (1..=most).min_by_key(|&blocks| passes(blocks) * u64::from(8 * blocks + 3)).unwrap_or(1);
    // On a GPU larger blocks take registers that other invocations need.
    let most = if software {
        3
    } else if head_dim.max(value_dim) > 8 || tables {
        1
    } else {
        2
    };
    let tile = of(fewest_loads(most));
    if split > 1 || tile.rounds <= MAX_ROUNDS { tile } else { of(3) }
}

/// How a walk of window attention's gradient goes over the windows of four queries or four keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WalkTile {
    /// Channels that one invocation sums up, of each gradient.
    pub(crate) length: u32,
    /// Keys or queries of a block, divided by 4.
    pub(crate) blocks: u32,
    /// Loop rounds of one invocation.
    pub(crate) rounds: u64,
}

/// The choice for a walk over `[frames, rows, columns]` keys or queries, whose products have up to `products` terms. `sums` are the channels
/// of the deepest gradient, of which a walk has `gradients`.
pub(crate) fn walk_tile(
    software: bool,
    [products, sums]: [u32; 2],
    gradients: u32,
    [frames, rows, columns]: [u32; 3],
) -> WalkTile {
    // A GPU has registers for 16 sums.
    let most = if software { 64 } else { 16 / gradients };
    let length = WINDOW_LENGTHS.into_iter().find(|&length| length >= sums.min(most)).unwrap_or(most);
    let passes = |blocks: u32| u64::from(rows.div_ceil(4 * blocks));
    let of = |blocks: u32| {
        // The largest extents overflow `u64`. They saturate, and are refused.
        let steps = passes(blocks).saturating_mul(frames.into()).saturating_mul(columns.into());
        let rounds = u64::from(products) + u64::from(length) + 1;
        let once = passes(blocks).saturating_mul(frames.into()).saturating_mul(u64::from(length) + 1);
        WalkTile { length, blocks, rounds: steps.saturating_mul(rounds).saturating_add(once) }
    };
    let most_blocks = if software { 3 } else { 1 };
    let tile = of((1..=most_blocks).min_by_key(|&blocks| passes(blocks) * u64::from(8 * blocks + 3)).unwrap_or(1));
    if tile.rounds <= MAX_ROUNDS { tile } else { of(3) }
}

/// Invocations of window attention that share the channels of a query, at most.
const MOST_SPLIT: u32 = 8;

/// Channels of a query and its keys that each of `split` invocations multiplies, if each sums up `length` channels of the values.
pub(crate) fn window_share(head_dim: u32, length: u32, split: u32) -> u32 {
    head_dim.div_ceil(split).max(length)
}

#[cfg(test)]
mod tests {
    use super::super::rounds::most_rounds;
    use super::*;

    /// Counts of vectors, channels or terms at which a choice may change, and larger ones.
    const SIZES: [u64; 12] = [0, 1, 8, 9, 255, 256, 4095, 4096, MAX_ROUNDS, MAX_ROUNDS + 1, 1 << 20, 1 << 24];

    #[test]
    fn only_software_adapters_have_a_bound_on_rounds() {
        for device_type in [wgpu::DeviceType::IntegratedGpu, wgpu::DeviceType::DiscreteGpu, wgpu::DeviceType::Other] {
            assert_eq!(most_rounds(device_type), u64::MAX);
        }
        // The longest loops of the windows in the contract: 53 x 53 at `head_dim` 64.
        let rounds = |software| window_tile(software, [64; 2], [1, 53, 53], false).rounds;
        assert!(rounds(true) > most_rounds(wgpu::DeviceType::Cpu), "{}", rounds(true));
    }

    #[test]
    fn software_adapters_work_without_barriers() {
        for size in SIZES.into_iter().filter(|&size| size <= MAX_ROUNDS / 2) {
            assert_eq!(plane_teams(true)[plane_team(true, size)].sharing, 1);
            assert!(scale_teams(true)[scale_team(true, size, size)].sharing < 16);
            assert_eq!(channel_teams(true)[channel_team(true, size, size as u32)].sharing, 1);
            assert_eq!(layer_teams(true)[layer_team(true, size)].sharing, 1);
        }
    }

    #[test]
    fn what_an_invocation_could_not_do_alone_is_shared() {
        for software in [false, true] {
            assert_eq!(plane_teams(software)[plane_team(software, (1 << 20) + 1)].sharing, 256);
            assert_eq!(channel_teams(software)[channel_team(software, 1 << 20, MAX_ROUNDS as u32 + 1)].sharing, 32);
            assert_eq!(layer_teams(software)[layer_team(software, MAX_ROUNDS + 1)].sharing, 32);
            assert!(scale_teams(software)[scale_team(software, 1 << 20, MAX_ROUNDS)].sharing >= 16);
        }
    }

    #[test]
    fn gpus_share_reductions_where_there_are_few() {
        assert_eq!(plane_teams(false)[plane_team(false, 255)], team(16, 16));
        assert_eq!(plane_teams(false)[plane_team(false, 256)], team(256, 1));
        assert_eq!(scale_teams(false)[scale_team(false, 255, 16)], team(16, 16));
        assert_eq!(scale_teams(false)[scale_team(false, 256, 16)], team(256, 1));
        assert_eq!(channel_teams(false)[channel_team(false, 4095, 1)], team(32, 8));
        assert_eq!(channel_teams(false)[channel_team(false, 4096, 1)], team(1, 64));
        assert!(SIZES.iter().all(|&terms| !gate_apart(false, terms)));
        assert!(gate_apart(true, 9) && !gate_apart(true, 8));
    }

    #[test]
    fn a_map_is_divided_into_shares_that_an_invocation_can_search() {
        for software in [false, true] {
            for pixels in [1, 7, 49, 1023, 1024, 4097, 12_544, 1 << 20, 1 << 24, 100_000_000] {
                let Ranges { shares, sharing, across, each } = ranges(software, pixels);
                assert!(u64::from(pixels.div_ceil(shares * sharing)) <= MAX_ROUNDS, "{pixels}");
                assert!(u64::from(shares + each) <= MAX_ROUNDS, "{pixels}");
                assert_eq!(sharing * across, range_group(software));
                assert!(each == 1 || pixels >= 1024 * each, "{pixels}");
            }
        }
    }

    #[test]
    fn windows_stay_in_registers_on_a_gpu_and_take_few_loads_on_a_software_adapter() {
        let tile = |software, head_dim, k, tables| window_tile(software, [head_dim; 2], [1, k + 3, k], tables);
        let gpu = |length, blocks, split, rounds| WindowTile { length, blocks, split, rounds };
        assert_eq!(tile(false, 8, 3, false), gpu(8, 2, 1, 3 * 17));
        assert_eq!(tile(false, 8, 7, false), gpu(8, 1, 1, 3 * 7 * 17));
        assert_eq!(tile(false, 8, 7, true), gpu(8, 1, 1, 3 * 7 * 25 + 4 * 8));
        assert_eq!(tile(false, 24, 7, false), gpu(8, 1, 4, 3 * 7 * 25));
        assert_eq!(tile(false, 32, 7, false), gpu(16, 1, 2, 3 * 7 * 39));
        assert_eq!(tile(false, 64, 7, false), gpu(16, 1, 4, 3 * 7 * 41));
        assert_eq!(tile(false, 128, 7, true), gpu(16, 1, 8, 3 * 7 * 61 + 4 * 16));
        let chunked = |length, blocks, rounds| WindowTile { length, blocks, split: 1, rounds };
        assert_eq!(tile(false, 3, 7, false), chunked(8, 1, 3 * 7 * 12));
        assert_eq!(tile(false, 72, 7, false), chunked(16, 1, 3 * 7 * 89));
        assert_eq!(tile(true, 64, 7, false), chunked(64, 3, 7 * 129));
        assert_eq!(tile(true, 72, 7, false), chunked(64, 3, 7 * 137));
        for head_dim in 1..=1024 {
            for software in [false, true] {
                let WindowTile { length, split, .. } = tile(software, head_dim, 7, false);
                assert!(split <= if software { 1 } else { 8 }, "{head_dim}");
                assert!(split == 1 || head_dim.is_multiple_of(length), "{head_dim}");
                assert!(window_share(head_dim, length, split) * split >= head_dim, "{head_dim}");
            }
            if head_dim > 128 {
                continue;
            }
            // Windows of 31 x 31 keep the bound in the variants of both types of adapter.
            for tables in [false, true] {
                assert!(
                    [false, true].map(|software| tile(software, head_dim, 31, tables).rounds <= MAX_ROUNDS)
                        == [true; 2]
                );
            }
        }
        assert!([false, true].iter().any(|&software| tile(software, 128, 63, false).rounds > MAX_ROUNDS));
        assert!(window_tile(false, [128; 2], [u32::MAX; 3], true).rounds > MAX_ROUNDS);
        // A video decoder's windows of 11 x 11 x 11 at `head_dim` 64.
        let video = |software| window_tile(software, [64; 2], [11, 14, 11], false);
        assert_eq!(video(true), WindowTile { blocks: 2, ..chunked(64, 3, 31_218) });
        assert_eq!(video(false), gpu(16, 1, 4, 11 * 4 * 11 * 41));
    }

    #[test]
    fn every_choice_is_a_team_that_there_is_and_that_fits_a_workgroup() {
        for software in [false, true] {
            for teams in [plane_teams(software), scale_teams(software), channel_teams(software), layer_teams(software)]
            {
                assert!(teams.iter().all(|team| (1..=256).contains(&(team.sharing * team.across))), "{teams:?}");
            }
            for a in SIZES {
                assert!(plane_team(software, a) < plane_teams(software).len());
                assert!(layer_team(software, a) < layer_teams(software).len());
                for b in SIZES {
                    assert!(scale_team(software, a, b) < scale_teams(software).len());
                    assert!(channel_team(software, a, b as u32) < channel_teams(software).len());
                }
            }
        }
    }
}
