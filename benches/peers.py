#!/usr/bin/env python3
"""PyTorch on the same card and shapes: eager, torch.compile and, for windows, FlexAttention, as ratios to this crate's times.

    cargo bench                              (or: cargo run --release --example gpu_report -- --write report)
    python benches/peers.py target/bench/operators.tsv > peers.tsv

Reads the operators' rows of a table that `cargo bench` or `gpu_report` wrote, runs those it knows in PyTorch with TF32 off, in
float32 and, for rows of f16, in float16, and prints a line for each: the crate's time, PyTorch's, and their ratio. Above 1 the
crate is faster. Needs torch 2.5 or later; without CUDA it runs on the CPU, where the ratios say little.
"""

import argparse
import re
import sys
import time

import torch
import torch.nn.functional as F

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False

REPEATS = 20
# Larger than any last cache, so that every run finds its inputs in memory.
FLUSH_BYTES = 256 << 20


def shapes(case):
    """Every [a, b, ..] of a case's name."""
    return [tuple(int(number) for number in found.split(",")) for found in re.findall(r"\[([\d, ]+)\]", case)]


def attention_map(case, make):
    statistic = case.split()[0]
    x = make(*shapes(case)[0])
    if statistic == "Rms":
        return lambda: x.float().square().mean(1).sqrt()
    return lambda: x.abs().amax(1)


def global_pool(case, make):
    x = make(*shapes(case)[0])
    if "Max" in case:
        return lambda: (x.float().mean((2, 3)), x.amax((2, 3)))
    return lambda: x.float().mean((2, 3))


def channel_scale(case, make):
    shape = shapes(case)[0]
    x, gate, identity = make(*shape), make(*shape[:2]), make(*shape)
    if "esidual" in case:
        return lambda: F.relu(x * gate[:, :, None, None] + identity)
    return lambda: x * gate[:, :, None, None]


def squeeze_excite(case, make):
    shape = shapes(case)[0]
    channels, reduced = shape[1], shape[1] // 16
    x, identity = make(*shape), make(*shape)
    reduce, expand = make(reduced, channels), make(channels, reduced)

    def block():
        gate = torch.sigmoid(F.linear(F.relu(F.linear(x.mean((2, 3)), reduce)), expand))
        return F.relu(x * gate[:, :, None, None] + identity)

    return block


def pointwise_conv(case, make):
    batch, channels, height, width = shapes(case)[0]
    x = make(batch, channels, height, width)
    stack = 3 if "q, k, v" in case else 1
    weight = make(stack * channels, channels, 1, 1)
    return lambda: F.conv2d(x, weight)


def window(case):
    """heads, depth, k, batch and sides of a case, or None where it has tables."""
    found = re.search(r"(\d+)x(\d+) k(\d+)", case)
    if not found or "embeddings" in case:
        return None
    heads, depth, k = (int(group) for group in found.groups())
    sides = re.match(r"(\d+)x(\d+) ", case)
    if shapes(case):
        batch, _, height, width = shapes(case)[0]
    elif sides and sides.start() != found.start():
        batch, height, width = 1, int(sides[1]), int(sides[2])
    else:
        return None
    return heads, depth, k, batch, height, width


def window_attention(case, make):
    """Unfolded keys and values, with zero padding, as public code of the paper does it."""
    sizes = window(case)
    if sizes is None:
        return None
    heads, depth, k, batch, height, width = sizes
    q, key, value = (make(batch, heads * depth, height, width) for _ in range(3))

    def attend():
        def unfolded(t):
            columns = F.unfold(t, k, padding=k // 2)
            return columns.view(batch, heads, depth, k * k, height * width)

        queries = q.view(batch, heads, depth, 1, height * width)
        weights = (queries * unfolded(key)).sum(2, keepdim=True).float().softmax(3).to(q.dtype)
        return (weights * unfolded(value)).sum(3)

    return attend


def flex_attention(case, make):
    """The same windows with the keys outside left out, which is FlexAttention's way."""
    sizes = window(case)
    if sizes is None:
        return None
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention as flex

    heads, depth, k, batch, height, width = sizes
    if depth < 16:  # its kernels need heads of 16 channels at least
        return None
    q, key, value = (make(batch, heads, height * width, depth) for _ in range(3))
    reach = k // 2

    def near(_b, _h, query, other):
        rows = (query // width - other // width).abs() <= reach
        return rows & ((query % width - other % width).abs() <= reach)

    mask = create_block_mask(near, None, None, height * width, height * width, device=q.device.type)
    compiled = torch.compile(flex)
    return lambda: compiled(q, key, value, block_mask=mask, scale=1.0)


PEERS = {
    "attention_map": attention_map,
    "global_pool": global_pool,
    "channel_scale": channel_scale,
    "squeeze_excite": squeeze_excite,
    "pointwise_conv": pointwise_conv,
    "window_attention": window_attention,
}


def measure(run, device):
    """Median seconds, the caches full of something else."""
    flush = torch.empty(FLUSH_BYTES, dtype=torch.uint8, device=device)
    for _ in range(3):
        run()
    times = []
    for _ in range(REPEATS):
        flush.zero_()
        if device == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            run()
            end.record()
            torch.cuda.synchronize()
            times.append(start.elapsed_time(end) / 1e3)
        else:
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def rows(path):
    with open(path, encoding="utf-8") as file:
        lines = [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]
    header = lines[0]
    return [dict(zip(header, line)) for line in lines[1:]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", help="operators.tsv of cargo bench, or what gpu_report --write wrote")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    arguments = parser.parse_args()
    device = arguments.device
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    print(f"# PyTorch {torch.__version__}, CUDA {torch.version.cuda}, {name}, TF32 off; caches flushed, medians of {REPEATS}")
    print("operator\tcase\tpeer\tdtype\tours_seconds\tpeer_seconds\tpeer_to_ours")
    torch.manual_seed(0)
    for row in rows(arguments.table):
        peer = PEERS.get(row["operator"])
        if peer is None or row["version"] != "fused":
            continue
        dtype = torch.float16 if re.search(r"\bf16\b", row["case"], re.IGNORECASE) else torch.float32

        def make(*shape, dtype=dtype):
            return torch.rand(shape, device=device).mul(2).sub(1).to(dtype)

        case = re.sub(r"\bf(16|32)\b ?", "", row["case"], flags=re.IGNORECASE)
        versions = [("eager", lambda: peer(case, make))]
        if not arguments.no_compile:
            versions.append(("compile", lambda: torch.compile(peer(case, make)) if peer(case, make) else None))
        if row["operator"] == "window_attention":
            versions.append(("flex", lambda: flex_attention(case, make)))
        for version, build in versions:
            try:
                with torch.no_grad():
                    run = build()
                    if run is None:
                        continue
                    seconds = measure(run, device)
            except Exception as error:  # a shape that PyTorch has no memory or kernel for is a line, not the end
                print(f"{row['operator']} {row['case']} {version}: {str(error).splitlines()[0]}", file=sys.stderr)
                continue
            ours = float(row["seconds"])
            short = str(dtype).removeprefix("torch.")
            print(f"{row['operator']}\t{row['case']}\t{version}\t{short}\t{ours:.4e}\t{seconds:.4e}\t{seconds / ours:.3f}", flush=True)


if __name__ == "__main__":
    main()
