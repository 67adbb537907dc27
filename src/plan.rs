//! How work is divided into dispatches and which variant of a kernel does it: pure arithmetic, no GPU.
//!
//! A kernel's grid is `x` by `y` workgroups for each *unit*, on `z`: an image, or one plane of it. Units are the outermost axis
//! of every tensor that is divided, so a range of units is a range of bytes, and no reduction is ever divided: results do not
//! depend on the split. A part is one dispatch. Kernels add `origin` to their workgroup index and, since a storage binding
//! may start only at aligned offsets, `bases` to their element index.

use std::ops::Range;

/// What one invocation may loop over, all its loops together: some software drivers silently end loops after 65,535 rounds.
pub(crate) const MAX_ROUNDS: u64 = (1 << 15) - 1;

/// Rounds that an adapter of this type is trusted with. A GPU ends a loop where it should end.
pub(crate) fn most_rounds(device_type: wgpu::DeviceType) -> u64 {
    if device_type == wgpu::DeviceType::Cpu { MAX_ROUNDS } else { u64::MAX }
}

/// Terms that one invocation may add up (`shaders/shared/blocked_sum.wgsl`): their loop and that over their blocks, of 32 and more, together.
pub(crate) const MAX_TERMS: u64 = MAX_ROUNDS * 32 / 33;

/// Rounds over so many terms and their blocks, at the most.
pub(crate) const fn summed(terms: u64) -> u64 {
    terms.saturating_add(terms.div_ceil(32))
}

/// Dispatches of one kernel for one `bind`; more than this is a mistake of the caller rather than work to be done.
const MAX_PARTS: usize = 1 << 16;

/// What a kernel has to do.
pub(crate) struct Work<'a> {
    /// Images or planes, on `z`.
    pub(crate) units: u32,
    /// Workgroups for each unit on `x` and `y`.
    pub(crate) groups: [u32; 2],
    /// For each tensor that is divided: bytes of one unit.
    pub(crate) unit_bytes: &'a [u64],
    /// For each tensor that every part needs whole: its bytes.
    pub(crate) whole_bytes: &'a [u64],
}

/// One dispatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The units it covers.
    pub(crate) units: Range<u32>,
    /// First workgroup on `x` and `y`.
    pub(crate) origin: [u32; 2],
    /// Workgroups to dispatch.
    pub(crate) groups: [u32; 3],
}

/// A limit that the work can't be divided under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    pub(crate) limit: &'static str,
    pub(crate) needed: u64,
    pub(crate) given: u64,
}

/// Bytes of a storage binding must be a multiple of 4.
pub(crate) const fn binding_bytes(bytes: u64) -> u64 {
    bytes.next_multiple_of(4)
}

/// Where the binding of `units` starts and ends in its tensor, in bytes: `start` is aligned down.
pub(crate) fn window(units: &Range<u32>, unit_bytes: u64, alignment: u64) -> Range<u64> {
    let start = u64::from(units.start) * unit_bytes;
    let end = binding_bytes(u64::from(units.end) * unit_bytes);
    start - start % alignment..end
}

/// Divides `work` so that every dispatch keeps `limits`. The caller has checked that all byte counts fit `u64`.
pub(crate) fn parts(work: &Work<'_>, limits: &wgpu::Limits) -> Result<Vec<Part>, Exceeded> {
    // Kernels index with u32, so a binding never exceeds 4 GiB even where the device would take it.
    let binding_limit = limits.max_storage_buffer_binding_size.min(u64::from(u32::MAX) + 1);
    let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
    let exceeded = |needed| Exceeded { limit: "max_storage_buffer_binding_size", needed, given: binding_limit };

    if let Some(&bytes) = work.whole_bytes.iter().find(|&&bytes| binding_bytes(bytes) > binding_limit) {
        return Err(exceeded(binding_bytes(bytes)));
    }

    let axis = limits.max_compute_workgroups_per_dimension;
    if axis == 0 {
        return Err(Exceeded { limit: "max_compute_workgroups_per_dimension", needed: 1, given: 0 });
    }
    let mut step = work.units.min(axis);
    for &bytes in work.unit_bytes {
        if binding_bytes(u64::from(work.units) * bytes) <= binding_limit {
            continue;
        }
        // A part in the middle may start up to `alignment` bytes early.
        let slack = if bytes % alignment == 0 { 0 } else { alignment };
        let fits = binding_limit.saturating_sub(slack) / bytes;
        if fits == 0 {
            return Err(exceeded(binding_bytes(bytes) + slack));
        }
        step = step.min(u32::try_from(fits).unwrap_or(u32::MAX));
    }

    let ranges = |count: u32, step: u32| {
        (0..count).step_by(step.max(1) as usize).map(move |start| start..count.min(start.saturating_add(step)))
    };
    let count = [(work.units, step), (work.groups[0], axis), (work.groups[1], axis)]
        .map(|(count, step)| u64::from(count.div_ceil(step.max(1))))
        .into_iter()
        .fold(1, u64::saturating_mul);
    if count > MAX_PARTS as u64 {
        return Err(Exceeded { limit: "dispatches of one kernel", needed: count, given: MAX_PARTS as u64 });
    }
    let mut parts = Vec::new();
    for units in ranges(work.units, step) {
        for y in ranges(work.groups[1], axis) {
            for x in ranges(work.groups[0], axis) {
                parts.push(Part {
                    units: units.clone(),
                    origin: [x.start, y.start],
                    groups: [x.end - x.start, y.end - y.start, units.end - units.start],
                });
            }
        }
    }
    Ok(parts)
}

/// The turns in which several kernels go over `units` one after another, `together` at a time or the next number at which
/// tensors of so many bytes for each unit start at multiples of `alignment`, a power of two.
pub(crate) fn turns(
    units: u32,
    together: u32,
    unit_bytes: &[u64],
    alignment: u32,
) -> impl Iterator<Item = Range<u32>> + use<> {
    let zeros = unit_bytes.iter().map(|bytes| bytes.trailing_zeros()).min().unwrap_or(0);
    let aligned = alignment >> zeros.min(alignment.trailing_zeros());
    let together = together.checked_next_multiple_of(aligned.max(1)).unwrap_or(u32::MAX).max(1);
    (0..units).step_by(together as usize).map(move |start| start..units.min(start.saturating_add(together)))
}

/// How a workgroup is made up: invocations that share one reduction, and reductions side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Team {
    pub(crate) sharing: u32,
    pub(crate) across: u32,
}

const fn team(sharing: u32, across: u32) -> Team {
    Team { sharing, across }
}

// On a GPU invocations must be many and neighbours read neighbours, so a workgroup shares a reduction wherever there are few. On
// a software adapter a barrier costs more than what it shares, and a core is kept busy by one workgroup at a time: there each
// invocation works alone, but for reductions that exceed `MAX_ROUNDS`.

/// Teams that reduce planes to a number.
pub(crate) const fn plane_teams(software: bool) -> &'static [Team] {
    if software { const { &[team(1, 8), team(256, 1)] } } else { const { &[team(16, 16), team(256, 1)] } }
}

/// Teams that scale planes by a gate. Those of fewer than 16 invocations sum up the gate in each of them.
pub(crate) const fn scale_teams(software: bool) -> &'static [Team] {
    if software { const { &[team(8, 8), team(256, 1), team(1, 8)] } } else { const { &[team(16, 16), team(256, 1)] } }
}

/// Which of [`plane_teams`], for so many loads in each plane.
pub(crate) const fn plane_team(software: bool, loads: u64) -> usize {
    let few = if software { 1 << 20 } else { 255 };
    (loads > few) as usize
}

/// Which of [`scale_teams`], for so many loads in each plane, none where only the gate is wanted, and terms of its gate.
pub(crate) const fn scale_team(software: bool, loads: u64, terms: u64) -> usize {
    match software {
        true if terms > MAX_TERMS / 2 => 1,
        // A plane in one invocation leaves no lane of the last vector idle.
        true if loads < 64 => 2,
        true => 0,
        false => (loads > 255) as usize,
    }
}

/// Whether a gate of so many terms is summed up by a dispatch of its own, before the planes are scaled: where every invocation
/// that scales would otherwise run over all terms.
pub(crate) const fn gate_apart(software: bool, terms: u64) -> bool {
    software && terms > 8
}

/// Teams that reduce the channels of each pixel.
pub(crate) const fn channel_teams(software: bool) -> &'static [Team] {
    if software { const { &[team(1, 64), team(32, 8), team(1, 8)] } } else { const { &[team(1, 64), team(32, 8)] } }
}

/// Which of [`channel_teams`], for so many loads in each channel and so many channels.
pub(crate) const fn channel_team(software: bool, loads: u64, channels: u32) -> usize {
    match software {
        _ if channels as u64 > MAX_TERMS => 1,
        // Every core is to have its share of few pixels.
        true if loads < 512 => 2,
        true => 0,
        false => (loads < 4096) as usize,
    }
}

/// Teams that multiply by a matrix, row by row.
pub(crate) const fn layer_teams(software: bool) -> &'static [Team] {
    if software { const { &[team(1, 8), team(32, 8)] } } else { const { &[team(32, 8)] } }
}

/// Which of [`layer_teams`], where one invocation would have so many [`layer_rounds`] for a row.
pub(crate) const fn layer_team(software: bool, rounds: u64) -> usize {
    (software && rounds > MAX_ROUNDS) as usize
}

/// Rounds of an invocation that multiplies so many loads, each of a number that was pooled in `parts`. A software driver counts the
/// loops over the parts of a single number too, and those over a second input that is not there.
pub(crate) const fn layer_rounds(loads: u64, parts: u64) -> u64 {
    loads.saturating_mul(5 + 2 * parts)
}

/// Invocations of a workgroup that searches shares of a map for its range; see [`ranges`].
pub(crate) const fn range_group(software: bool) -> u32 {
    if software { 8 } else { 256 }
}

/// How a map is searched for its range, and then brought to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ranges {
    /// Parts of the map that are searched apart: whoever brings it to its range reads the ranges of all.
    pub(crate) shares: u32,
    /// Invocations for each share.
    pub(crate) sharing: u32,
    /// Shares of a workgroup.
    pub(crate) across: u32,
    /// Pixels of each invocation that brings the map to its range.
    pub(crate) each: u32,
}

/// For a map of so many pixels.
pub(crate) fn ranges(software: bool, pixels: u32) -> Ranges {
    let group = range_group(software);
    if software {
        // More than 64 only where a share would exceed `MAX_ROUNDS`.
        let shares = (pixels / 1024).clamp(1, 64).max(pixels.div_ceil(MAX_ROUNDS as u32));
        return Ranges { shares, sharing: 1, across: group, each: (pixels / 1024).clamp(1, 64) };
    }
    Ranges {
        shares: pixels.div_ceil(4096).clamp(1, 16),
        sharing: group,
        across: 1,
        // Enough workgroups for any GPU first, then more pixels for each invocation.
        each: (pixels / 16_384).clamp(1, 16),
    }
}

/// Lengths of the private array that window attention is compiled for: the first that holds a head, or the last in several
/// chunks, the logits being computed for each. GPUs keep up to 16 sums of four queries in registers, where a longer array would lie
/// in memory, and divide deeper heads among invocations; only what can't be divided evenly goes in chunks there too.
pub(crate) const WINDOW_LENGTHS: [u32; 4] = [8, 16, 32, 64];

/// How window attention goes about the windows of four queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowTile {
    /// Channels that one invocation sums up.
    pub(crate) length: u32,
    /// Keys of a block, in 4.
    pub(crate) blocks: u32,
    /// Invocations that have the channels between them.
    pub(crate) split: u32,
    /// Loop rounds of one invocation.
    pub(crate) rounds: u64,
}

/// For heads of `head_dim` channels, four queries that look at `rows` rows of `width` keys together, and `tables` of rows and columns.
pub(crate) fn window_tile(software: bool, head_dim: u32, rows: u32, width: u32, tables: bool) -> WindowTile {
    let length = match WINDOW_LENGTHS {
        [few, ..] if head_dim <= few => few,
        [few, ..]
            if !software && !head_dim.is_multiple_of(16) && head_dim.is_multiple_of(few) && head_dim <= 8 * few =>
        {
            few
        }
        [_, some, ..] if !software || head_dim <= some => some,
        [_, _, many, _] if head_dim <= many => many,
        [.., most] => most,
    };
    let divided = !software && head_dim.is_multiple_of(length);
    let split = if divided { (head_dim / length).next_power_of_two() } else { 1 };
    let passes = |blocks: u32| u64::from(rows.div_ceil(4 * blocks));
    let of = |blocks: u32| {
        let own = u64::from(if divided { length } else { head_dim });
        let products = own * if tables { 2 } else { 1 } + if split > 1 { 4 + u64::from(split) } else { 0 };
        // The largest extents leave `u64`, and are refused all the same.
        let rounds = passes(blocks).saturating_mul(u64::from(width)).saturating_mul(products + u64::from(length) + 1);
        WindowTile { length, blocks, split, rounds }
    };
    // A block costs a load for each of its keys, and a pass over the sums.
    let fewest_loads =
        |most: u32| (1..=most).min_by_key(|&blocks| passes(blocks) * u64::from(8 * blocks + 3)).unwrap_or(1);
    // On a GPU larger blocks cost the registers that other invocations need.
    let most = if software {
        3
    } else if head_dim > 8 || tables {
        1
    } else {
        2
    };
    let tile = of(fewest_loads(most));
    if split > 1 || tile.rounds <= MAX_ROUNDS { tile } else { of(3) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limits(binding: u64, groups: u32) -> wgpu::Limits {
        wgpu::Limits {
            max_storage_buffer_binding_size: binding,
            max_compute_workgroups_per_dimension: groups,
            ..wgpu::Limits::default()
        }
    }

    /// Loads, channels or terms at which a choice may change, and beyond.
    const SIZES: [u64; 12] = [0, 1, 8, 9, 255, 256, 4095, 4096, MAX_ROUNDS, MAX_ROUNDS + 1, 1 << 20, 1 << 24];

    proptest! {
        #[test]
        fn turns_cover_every_unit_once_at_offsets_that_bind(
            units in 0u32..5000,
            together in 1u32..600,
            bytes in proptest::collection::vec(1u64..100_000, 1..3),
            alignment in (0u32..9).prop_map(|power| 1 << power),
        ) {
            let turns: Vec<_> = turns(units, together, &bytes, alignment).collect();
            prop_assert_eq!(turns.iter().flat_map(Clone::clone).collect::<Vec<_>>(), (0..units).collect::<Vec<_>>());
            for turn in &turns {
                prop_assert!(bytes.iter().all(|bytes| u64::from(turn.start) * bytes % u64::from(alignment) == 0));
                // No more than it has to be.
                prop_assert!(turn.len() < (together + alignment) as usize);
            }
        }
    }

    #[test]
    fn turns_of_aligned_images_are_as_asked() {
        assert_eq!(turns(7, 3, &[1024, 512], 256).collect::<Vec<_>>(), [0..3, 3..6, 6..7]);
        assert_eq!(turns(7, 3, &[1024, 64], 256).collect::<Vec<_>>(), [0..4, 4..7]);
        assert!(turns(3, u32::MAX, &[1], 256).eq(std::iter::once(0..3)));
    }

    #[test]
    fn only_software_adapters_have_a_bound_on_rounds() {
        for device_type in [wgpu::DeviceType::IntegratedGpu, wgpu::DeviceType::DiscreteGpu, wgpu::DeviceType::Other] {
            assert_eq!(most_rounds(device_type), u64::MAX);
        }
        // The largest loops that the contract's windows take: 53 x 53 at head_dim 64.
        let rounds = |software| window_tile(software, 64, 53, 53, false).rounds;
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
        let tile = |software, head_dim, k, tables| window_tile(software, head_dim, k + 3, k, tables);
        let gpu = |length, blocks, split, rounds| WindowTile { length, blocks, split, rounds };
        assert_eq!(tile(false, 8, 3, false), gpu(8, 2, 1, 3 * 17));
        assert_eq!(tile(false, 8, 7, false), gpu(8, 1, 1, 3 * 7 * 17));
        assert_eq!(tile(false, 8, 7, true), gpu(8, 1, 1, 3 * 7 * 25));
        assert_eq!(tile(false, 24, 7, false), gpu(8, 1, 4, 3 * 7 * 25));
        assert_eq!(tile(false, 32, 7, false), gpu(16, 1, 2, 3 * 7 * 39));
        assert_eq!(tile(false, 64, 7, false), gpu(16, 1, 4, 3 * 7 * 41));
        assert_eq!(tile(false, 128, 7, true), gpu(16, 1, 8, 3 * 7 * 61));
        let chunked = |length, blocks, rounds| WindowTile { length, blocks, split: 1, rounds };
        assert_eq!(tile(false, 3, 7, false), chunked(8, 1, 3 * 7 * 12));
        assert_eq!(tile(false, 72, 7, false), chunked(16, 1, 3 * 7 * 89));
        assert_eq!(tile(true, 64, 7, false), chunked(64, 3, 7 * 129));
        assert_eq!(tile(true, 72, 7, false), chunked(64, 3, 7 * 137));
        for head_dim in 1..=128 {
            for software in [false, true] {
                let WindowTile { length, split, .. } = tile(software, head_dim, 7, false);
                assert!(split <= if software { 1 } else { 8 }, "{head_dim}");
                assert!(split == 1 || head_dim.is_multiple_of(length) && head_dim <= length * split, "{head_dim}");
            }
            // The largest window of the deepest head, whatever the adapter prefers.
            for tables in [false, true] {
                assert!(
                    [false, true].map(|software| tile(software, head_dim, 31, tables).rounds <= MAX_ROUNDS)
                        == [true; 2]
                );
            }
        }
        assert!([false, true].iter().any(|&software| tile(software, 128, 63, false).rounds > MAX_ROUNDS));
        assert!(window_tile(false, 128, u32::MAX, u32::MAX, true).rounds > MAX_ROUNDS);
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

    #[test]
    fn one_part_when_everything_fits() {
        let work = Work { units: 3, groups: [5, 2], unit_bytes: &[1000, 24], whole_bytes: &[64] };
        assert_eq!(
            parts(&work, &wgpu::Limits::default()),
            Ok(vec![Part { units: 0..3, origin: [0, 0], groups: [5, 2, 3] }])
        );
    }

    #[test]
    fn a_unit_that_does_not_fit_is_refused_with_both_figures() {
        let work = Work { units: 2, groups: [1, 1], unit_bytes: &[8192], whole_bytes: &[] };
        assert_eq!(
            parts(&work, &limits(4096, 7)),
            Err(Exceeded { limit: "max_storage_buffer_binding_size", needed: 8192, given: 4096 })
        );
        let work = Work { units: 1, groups: [1, 1], unit_bytes: &[4], whole_bytes: &[5000] };
        assert_eq!(
            parts(&work, &limits(4096, 7)),
            Err(Exceeded { limit: "max_storage_buffer_binding_size", needed: 5000, given: 4096 })
        );
    }

    #[test]
    fn no_units_no_parts() {
        let work = Work { units: 0, groups: [1, 1], unit_bytes: &[4], whole_bytes: &[] };
        assert_eq!(parts(&work, &wgpu::Limits::default()), Ok(vec![]));
    }

    #[test]
    fn absurd_counts_are_refused() {
        let work = Work { units: u32::MAX, groups: [u32::MAX, u32::MAX], unit_bytes: &[1 << 20], whole_bytes: &[] };
        assert_eq!(parts(&work, &wgpu::Limits::default()).map_err(|e| e.limit), Err("dispatches of one kernel"));
        // More than 64 bits of them.
        let work = Work { unit_bytes: &[], ..work };
        assert_eq!(parts(&work, &limits(4096, 7)).map_err(|e| e.needed), Err(u64::MAX));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn every_part_keeps_the_limits_and_everything_is_covered_once(
            units in 1u32..60, x in 1u32..40, y in 1u32..12,
            unit_bytes in prop::collection::vec(1u64..3000, 1..4),
            binding_kib in 4u64..64, axis in 7u32..20,
        ) {
            let limits = limits(binding_kib * 1024, axis);
            let work = Work { units, groups: [x, y], unit_bytes: &unit_bytes, whole_bytes: &[] };
            let parts = parts(&work, &limits).expect("4 KiB holds a unit of 3000 bytes and the slack");
            let mut seen = vec![0u8; (units * x * y) as usize];
            for part in &parts {
                prop_assert!(part.groups.iter().all(|&count| (1..=axis).contains(&count)));
                for &bytes in &unit_bytes {
                    let window = window(&part.units, bytes, 256);
                    prop_assert_eq!(window.start % 256, 0);
                    prop_assert!(window.end - window.start <= limits.max_storage_buffer_binding_size);
                    prop_assert!(window.start <= u64::from(part.units.start) * bytes);
                    prop_assert!(window.end >= u64::from(part.units.end) * bytes);
                }
                for unit in part.units.clone() {
                    for row in part.origin[1]..part.origin[1] + part.groups[1] {
                        for column in part.origin[0]..part.origin[0] + part.groups[0] {
                            seen[((unit * y + row) * x + column) as usize] += 1;
                        }
                    }
                }
            }
            prop_assert!(seen.iter().all(|&count| count == 1));
        }

        /// Counts up to the ends of 32 and 64 bits: covered once, in order, or refused; never wrapped.
        #[test]
        fn any_count_is_divided_or_refused(
            (units, x, y) in (count(), count(), count()),
            unit_bytes in prop::collection::vec(1u64..=u64::MAX, 0..4), shifts in prop::collection::vec(0u32..64, 4),
            binding in 12u32..63, axis in prop::sample::select(vec![7u32, 65_535, u32::MAX]),
            alignment in prop::sample::select(vec![32u32, 256]),
        ) {
            // As `bind` gives them: all products fit `u64`, with what they are rounded up by.
            let fits = |bytes: &u64| bytes.checked_mul(units.into()).is_some_and(|all| all < u64::MAX - 256);
            let unit_bytes: Vec<u64> =
                unit_bytes.iter().zip(shifts).map(|(bytes, shift)| bytes >> shift).filter(|&b| b > 0 && fits(&b)).collect();
            let limits = wgpu::Limits { min_storage_buffer_offset_alignment: alignment, ..limits(1 << binding, axis) };
            let given = limits.max_storage_buffer_binding_size.min(1 << 32);
            let work = Work { units, groups: [x, y], unit_bytes: &unit_bytes, whole_bytes: &[] };
            match parts(&work, &limits) {
                Ok(parts) => {
                    let mut covered = 0u128;
                    let mut at = (0, [0, 0]);
                    for part in &parts {
                        prop_assert!(part.groups.iter().all(|&count| (1..=axis).contains(&count)));
                        prop_assert!(part.units.end <= units && part.units.len() as u32 == part.groups[2]);
                        let [right, below] = [0, 1].map(|a| u64::from(part.origin[a]) + u64::from(part.groups[a]));
                        prop_assert!(right <= x.into() && below <= y.into());
                        // Each begins where the one before it ends: in its row, below it, or with the next units.
                        prop_assert_eq!((part.units.start, [part.origin[1], part.origin[0]]), at);
                        at = match (right == x.into(), below == y.into()) {
                            (false, _) => (part.units.start, [part.origin[1], right as u32]),
                            (true, false) => (part.units.start, [below as u32, 0]),
                            (true, true) => (part.units.end, [0, 0]),
                        };
                        covered += part.groups.iter().map(|&count| u128::from(count)).product::<u128>();
                        for &bytes in &unit_bytes {
                            let window = window(&part.units, bytes, alignment.into());
                            prop_assert!(window.end - window.start <= given && window.start.is_multiple_of(alignment.into()));
                            let first = u64::from(part.units.start) * bytes;
                            prop_assert!((window.start..window.start + u64::from(alignment)).contains(&first));
                        }
                    }
                    prop_assert_eq!(covered, [units, x, y].iter().map(|&count| u128::from(count)).product::<u128>());
                }
                Err(Exceeded { needed, given, .. }) => prop_assert!(needed > given),
            }
        }
    }

    /// Anything from 1 on, small and absurd alike.
    fn count() -> impl Strategy<Value = u32> {
        (1..=u32::MAX, 0u32..32).prop_map(|(count, shift)| (count >> shift).max(1))
    }
}
