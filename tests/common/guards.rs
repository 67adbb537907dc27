//! Guard bands around outputs: bytes that no kernel may touch.

/// Bytes before and after an output; a multiple of every offset alignment.
pub(super) const GUARD: usize = 256;
/// What outputs and guards hold at first: a NaN, as f32 and as two f16, and no plausible integer.
pub(super) const POISON: [u8; 4] = 0x7fff_7fa5_u32.to_le_bytes();

/// Words of an output of `bytes` bytes, guards included.
pub(super) fn words(bytes: usize) -> usize {
    (bytes.next_multiple_of(4) + 2 * GUARD) / 4
}

/// The output between its guards, after checking that these are untouched.
#[track_caller]
pub(super) fn inside<'a>(guarded: &'a [u8], bytes: usize, what: &str) -> &'a [u8] {
    let end = GUARD + bytes;
    let before = guarded[..GUARD].iter().zip(POISON.iter().cycle());
    let after = guarded[end..].iter().zip(POISON.iter().cycle().skip(end % 4));
    assert!(before.chain(after).all(|(a, b)| a == b), "{what}: a kernel wrote beyond its output");
    &guarded[GUARD..end]
}
