//! The planner alone: work is refused, or its parts keep the limits and are as many workgroups as there are.

#![no_main]
#![expect(dead_code, reason = "the crate's file, of which this needs a part")]

#[path = "../../src/kernel/divide.rs"]
mod divide;

use libfuzzer_sys::{arbitrary, fuzz_target};

#[derive(Debug, arbitrary::Arbitrary)]
struct Input {
    units: u32,
    groups: [u32; 2],
    first: [u32; 3],
    unit_bytes: [u64; 3],
    whole_bytes: [u64; 2],
    binding: u64,
    axis: u32,
    most_groups: u64,
    fine_alignment: bool,
}

fuzz_target!(|input: Input| {
    let Input { units, groups, first, unit_bytes, whole_bytes, binding, axis, most_groups, fine_alignment } = input;
    // Ranges of what there is, which is counted in 32 bits.
    let first = [(0, groups[0]), (1, groups[1]), (2, units)].map(|(axis, count)| first[axis].min(u32::MAX - count));
    let end = u64::from(first[2]) + u64::from(units);
    // As `bind` gives them: all products fit `u64`, with what they are rounded up by.
    let fits = |bytes: &&u64| **bytes > 0 && bytes.checked_mul(end).is_some_and(|all| all < u64::MAX - 256);
    let unit_bytes: Vec<u64> = unit_bytes.iter().filter(fits).copied().collect();
    let whole_bytes = whole_bytes.map(|bytes| bytes.min(u64::MAX - 256));
    let alignment = if fine_alignment { 32 } else { 256 };
    let limits = wgpu::Limits {
        max_storage_buffer_binding_size: binding,
        max_compute_workgroups_per_dimension: axis,
        min_storage_buffer_offset_alignment: alignment,
        ..Default::default()
    };
    let most_groups = most_groups.max(1);
    let work = divide::Work { units, groups, first, unit_bytes: &unit_bytes, whole_bytes: &whole_bytes, most_groups };
    match divide::bounded_parts(work, &limits) {
        Ok(parts) => {
            let mut covered = 0;
            for part in &parts {
                assert!(part.groups.iter().all(|&count| (1..=axis).contains(&count)));
                covered += part.groups.iter().map(|&count| u128::from(count)).product::<u128>();
                for &bytes in &unit_bytes {
                    let window = divide::window(&part.units, bytes, alignment.into());
                    assert!(window.end - window.start <= binding.min(1 << 32));
                    assert_eq!(window.start % u64::from(alignment), 0);
                }
            }
            let all = [units, groups[0], groups[1]].iter().map(|&count| u128::from(count)).product::<u128>();
            assert_eq!(covered, all);
        }
        Err(exceeded) => assert!(exceeded.needed > exceeded.given),
    }
});
