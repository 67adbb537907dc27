//! Divides work into dispatches that keep a device's limits: pure arithmetic, no GPU.
//!
//! A kernel's grid has `x` by `y` workgroups for each *unit*, and `z` counts the units. A unit is an image or one plane of an
//! image. Units are the outermost axis of every tensor that is divided, so a range of units is a range of bytes. No reduction
//! is ever divided, so results do not depend on the split.
//!
//! A part is one dispatch. Kernels add `origin` to their workgroup index. A storage binding may start only at aligned offsets,
//! so kernels add each tensor's `_base` to their element index.

use std::ops::Range;

/// Most dispatches of one kernel for one `bind`. A larger count is taken for a mistake of the caller, and refused.
const MAX_PARTS: usize = 1 << 16;
const TOO_MANY: &str = "dispatches of one kernel";

/// What a kernel has to do.
pub(crate) struct Work<'a> {
    /// Images or planes: workgroups on `z`.
    pub(crate) units: u32,
    /// Workgroups for each unit on `x` and `y`.
    pub(crate) groups: [u32; 2],
    /// The first workgroups on `x` and `y`, and the first unit.
    pub(crate) first: [u32; 3],
    /// Bytes of one unit, for each tensor that is divided.
    pub(crate) unit_bytes: &'a [u64],
    /// Bytes of the whole tensor, for each tensor that every part needs whole.
    pub(crate) whole_bytes: &'a [u64],
    /// Most workgroups of one part, at least 1: what bounds the work of a dispatch.
    pub(crate) most_groups: u64,
}

impl Work<'_> {
    /// Units, and workgroups on `y` and `x`, of a part that keeps `most_groups`. Divides units first, then rows of workgroups, then columns.
    fn together(&self) -> [u32; 3] {
        let [x, y] = self.groups.map(|count| u64::from(count.max(1)));
        // Counts above `u32` become `most`.
        let at_most = |count: u64, most: u32| u32::try_from(count).map_or(most, |count| count.min(most)).max(1);
        let units = at_most(self.most_groups / x.saturating_mul(y), self.units);
        let rows = if units > 1 || self.most_groups >= x.saturating_mul(y) {
            self.groups[1]
        } else {
            at_most(self.most_groups / x, self.groups[1])
        };
        let columns = if self.most_groups >= x { self.groups[0] } else { at_most(self.most_groups, self.groups[0]) };
        [units, rows, columns]
    }
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

/// A limit that no division of the work keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    pub(crate) limit: &'static str,
    pub(crate) needed: u64,
    pub(crate) given: u64,
}

/// Rounds bytes up to a multiple of 4, as storage bindings need.
pub(crate) const fn binding_bytes(bytes: u64) -> u64 {
    bytes.next_multiple_of(4)
}

/// Byte range of the binding of `units` in their tensor. The start is rounded down to `alignment`.
pub(crate) fn window(units: &Range<u32>, unit_bytes: u64, alignment: u64) -> Range<u64> {
    let start = u64::from(units.start) * unit_bytes;
    let end = binding_bytes(u64::from(units.end) * unit_bytes);
    start - start % alignment..end
}

/// As [`parts`], with as many workgroups more in a part as [`MAX_PARTS`] needs: a bound on the work of a dispatch refuses nothing.
pub(crate) fn bounded_parts(mut work: Work<'_>, limits: &wgpu::Limits) -> Result<Vec<Part>, Exceeded> {
    loop {
        match parts(&work, limits) {
            Err(Exceeded { limit: TOO_MANY, .. }) if work.most_groups < u64::MAX => {
                work.most_groups = work.most_groups.saturating_mul(2);
            }
            outcome => return outcome,
        }
    }
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
    let [units_together, rows, columns] = work.together().map(|count| count.min(axis));
    let mut step = units_together;
    for &bytes in work.unit_bytes {
        if binding_bytes((u64::from(work.first[2]) + u64::from(work.units)) * bytes) <= binding_limit {
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

    let count = [(work.units, step), (work.groups[0], columns), (work.groups[1], rows)]
        .map(|(count, step)| u64::from(count.div_ceil(step.max(1))))
        .into_iter()
        .fold(1, u64::saturating_mul);
    if count > MAX_PARTS as u64 {
        return Err(Exceeded { limit: TOO_MANY, needed: count, given: MAX_PARTS as u64 });
    }
    let [first_x, first_y, first_unit] = work.first;
    let mut parts = Vec::new();
    for units in ranges(work.units, step) {
        for y in ranges(work.groups[1], rows) {
            for x in ranges(work.groups[0], columns) {
                parts.push(Part {
                    units: units.start + first_unit..units.end + first_unit,
                    origin: [x.start + first_x, y.start + first_y],
                    groups: [x.end - x.start, y.end - y.start, units.end - units.start],
                });
            }
        }
    }
    Ok(parts)
}

/// Splits `count` into ranges of `together`, of 1 at the least.
pub(crate) fn ranges(count: u32, together: u32) -> impl Iterator<Item = Range<u32>> {
    let together = together.max(1);
    (0..count).step_by(together as usize).map(move |start| start..count.min(start.saturating_add(together)))
}

/// Splits `units` into ranges of `together`, rounded up so that every range starts at a multiple of `alignment` bytes in each
/// tensor. Several kernels then run one after another on each range. `alignment` is a power of two, and `unit_bytes` has the
/// bytes of one unit of each tensor.
pub(crate) fn turns(
    units: u32,
    together: u32,
    unit_bytes: &[u64],
    alignment: u32,
) -> impl Iterator<Item = Range<u32>> + use<> {
    let zeros = unit_bytes.iter().map(|bytes| bytes.trailing_zeros()).min().unwrap_or(0);
    let aligned = alignment >> zeros.min(alignment.trailing_zeros());
    ranges(units, together.checked_next_multiple_of(aligned.max(1)).unwrap_or(u32::MAX))
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
                // No longer than alignment needs.
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
    fn one_part_when_everything_fits() {
        let work = Work {
            units: 3,
            groups: [5, 2],
            first: [0; 3],
            unit_bytes: &[1000, 24],
            whole_bytes: &[64],
            most_groups: u64::MAX,
        };
        assert_eq!(
            parts(&work, &wgpu::Limits::default()),
            Ok(vec![Part { units: 0..3, origin: [0, 0], groups: [5, 2, 3] }])
        );
    }

    #[test]
    fn a_unit_that_does_not_fit_is_refused_with_both_figures() {
        let work = Work {
            units: 2,
            groups: [1, 1],
            first: [0; 3],
            unit_bytes: &[8192],
            whole_bytes: &[],
            most_groups: u64::MAX,
        };
        assert_eq!(
            parts(&work, &limits(4096, 7)),
            Err(Exceeded { limit: "max_storage_buffer_binding_size", needed: 8192, given: 4096 })
        );
        let work = Work {
            units: 1,
            groups: [1, 1],
            first: [0; 3],
            unit_bytes: &[4],
            whole_bytes: &[5000],
            most_groups: u64::MAX,
        };
        assert_eq!(
            parts(&work, &limits(4096, 7)),
            Err(Exceeded { limit: "max_storage_buffer_binding_size", needed: 5000, given: 4096 })
        );
    }

    #[test]
    fn no_units_no_parts() {
        let work =
            Work { units: 0, groups: [1, 1], first: [0; 3], unit_bytes: &[4], whole_bytes: &[], most_groups: u64::MAX };
        assert_eq!(parts(&work, &wgpu::Limits::default()), Ok(vec![]));
    }

    #[test]
    fn absurd_counts_are_refused() {
        let work = Work {
            units: u32::MAX,
            groups: [u32::MAX, u32::MAX],
            first: [0; 3],
            unit_bytes: &[1 << 20],
            whole_bytes: &[],
            most_groups: u64::MAX,
        };
        assert_eq!(parts(&work, &wgpu::Limits::default()).map_err(|e| e.limit), Err("dispatches of one kernel"));
        // The number of dispatches overflows `u64`.
        let work = Work { unit_bytes: &[], ..work };
        assert_eq!(parts(&work, &limits(4096, 7)).map_err(|e| e.needed), Err(u64::MAX));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn every_part_keeps_the_limits_and_everything_is_covered_once(
            units in 1u32..60, x in 1u32..40, y in 1u32..12, first in [0u32..9, 0u32..9, 0u32..9],
            unit_bytes in prop::collection::vec(1u64..3000, 1..4),
            binding_kib in 4u64..64, axis in 7u32..20, most_groups in prop_oneof![Just(u64::MAX), 1u64..2000],
        ) {
            let limits = limits(binding_kib * 1024, axis);
            let work = Work { units, groups: [x, y], first, unit_bytes: &unit_bytes, whole_bytes: &[], most_groups };
            let parts = parts(&work, &limits).expect("4 KiB holds a unit of 3000 bytes and the slack");
            let mut seen = vec![0u8; (units * x * y) as usize];
            for part in &parts {
                prop_assert!(part.groups.iter().all(|&count| (1..=axis).contains(&count)));
                prop_assert!(part.groups.iter().map(|&count| u64::from(count)).product::<u64>() <= most_groups);
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
                            let [column, row, unit] = [column - first[0], row - first[1], unit - first[2]];
                            seen[((unit * y + row) * x + column) as usize] += 1;
                        }
                    }
                }
            }
            prop_assert!(seen.iter().all(|&count| count == 1));
        }

        /// Counts up to the largest of 32 and 64 bits are covered once and in order, or refused. They never wrap.
        #[test]
        fn any_count_is_divided_or_refused(
            (units, x, y) in (count(), count(), count()),
            unit_bytes in prop::collection::vec(1u64..=u64::MAX, 0..4), shifts in prop::collection::vec(0u32..64, 4),
            binding in 12u32..63, axis in prop::sample::select(vec![7u32, 65_535, u32::MAX]),
            most_groups in prop_oneof![Just(u64::MAX), 1u64..=u64::MAX, 1u64..100_000],
            alignment in prop::sample::select(vec![32u32, 256]),
        ) {
            // As `bind` passes them: all products fit `u64`, even after rounding up.
            let fits = |bytes: &u64| bytes.checked_mul(units.into()).is_some_and(|all| all < u64::MAX - 256);
            let unit_bytes: Vec<u64> =
                unit_bytes.iter().zip(shifts).map(|(bytes, shift)| bytes >> shift).filter(|&b| b > 0 && fits(&b)).collect();
            let limits = wgpu::Limits { min_storage_buffer_offset_alignment: alignment, ..limits(1 << binding, axis) };
            let given = limits.max_storage_buffer_binding_size.min(1 << 32);
            let work = Work { units, groups: [x, y], first: [0; 3], unit_bytes: &unit_bytes, whole_bytes: &[], most_groups };
            match bounded_parts(work, &limits) {
                Ok(parts) => {
                    let mut covered = 0u128;
                    let mut at = (0, [0, 0]);
                    for part in &parts {
                        prop_assert!(part.groups.iter().all(|&count| (1..=axis).contains(&count)));
                        prop_assert!(part.units.end <= units && part.units.len() as u32 == part.groups[2]);
                        let [right, below] = [0, 1].map(|a| u64::from(part.origin[a]) + u64::from(part.groups[a]));
                        prop_assert!(right <= x.into() && below <= y.into());
                        // Each part begins where the previous one ends: in its row, below it, or with the next units.
                        prop_assert_eq!((part.units.start, [part.origin[1], part.origin[0]]), at);
                        at = match (right == u64::from(x), below == u64::from(y)) {
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

    /// Counts from 1 on, of every magnitude.
    fn count() -> impl Strategy<Value = u32> {
        (1..=u32::MAX, 0u32..32).prop_map(|(count, shift)| (count >> shift).max(1))
    }
}
