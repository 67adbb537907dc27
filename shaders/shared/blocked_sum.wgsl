// Expects: the alias `Sum`, the type of the sums.
// A sum in blocks of blocks. The rounding error of a plain sum grows with its number of terms. The error of this sum hardly grows. A kernel
// adds up BLOCK terms in fours, and 8 blocks make a block of the next level. One invocation has at most 62 blocks of that level. A term
// therefore takes part in at most 2 + 16 + 8 + 62 additions.
const BLOCK = 64u;

struct BlockedSum {
    near: Sum,
    far: Sum,
    blocks: u32,
}

fn with_block(sum: BlockedSum, block: Sum) -> BlockedSum {
    let near = sum.near + block;
    let blocks = sum.blocks + 1u;
    if blocks % 8u == 0u {
        return BlockedSum(Sum(0.0), sum.far + near, blocks);
    }
    return BlockedSum(near, sum.far, blocks);
}

fn total_of(sum: BlockedSum) -> Sum {
    return sum.far + sum.near;
}
