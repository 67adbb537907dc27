#!/usr/bin/env python3
"""PyTorch on the same card and shapes: eager, torch.compile and, for windows, FlexAttention, as ratios to this crate's times.

    cargo bench                              (or: cargo run --release --example gpu_report -- --write report)
    python benches/peers.py target/bench/operators.tsv > peers.tsv

Reads the operators' rows of a table that `cargo bench` or `gpu_report` wrote, runs those that PyTorch has operations for (no
components, no histograms) with TF32 off, in float32 and, for rows of f16, in float16, and prints a line for each: the crate's
time, PyTorch's, and their ratio. Above 1 the crate is faster. Needs torch 2.5 or later; without CUDA it runs on the CPU, where
the ratios say little.
"""

import argparse
import itertools
import re
import sys
import time

import torch
import torch.nn.functional as F

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False

# Larger than any last cache, so that every run finds its inputs in memory.
FLUSH_BYTES = 256 << 20


def shapes(case):
    """Every [a, b, ..] of a case's name."""
    return [tuple(int(number) for number in found.split(",")) for found in re.findall(r"\[([\d, ]+)\]", case)]


def attention_map(case, make):
    x = make(*shapes(case)[0])
    if "Rms" in case:
        return lambda: x.float().square().mean(1).sqrt()
    return lambda: x.abs().amax(1)


def normalize(case, make):
    x = make(*shapes(case)[0])

    def run():
        low, high = x.amin((1, 2), keepdim=True), x.amax((1, 2), keepdim=True)
        return (x - low) / (high - low)

    return run


def resize(case, make):
    shape, size = shapes(case)
    x = make(*shape)
    return lambda: F.interpolate(x, size, mode="bilinear", align_corners=False)


def threshold(case, make):
    if "Value" not in case:
        return None
    x = make(*shapes(case)[0])
    return lambda: (x > 0.7).int()


def bounding_box(case, make):
    mask = make(*shapes(case)[0]) > 0.98

    def run():
        sides = []
        for axis in (1, 2):
            found = mask.any(axis).int()
            sides += [found.argmax(1), found.shape[1] - 1 - found.flip(1).argmax(1)]
        return torch.stack([sides[0], sides[2], sides[1], sides[3]], 1)

    return run


def crop_resize(case, make):
    """With boxes that the host knows."""
    (batch, channels, height, width), size = shapes(case)
    x = make(batch, channels, height, width)
    crop = x[:, :, height // 6 : height * 3 // 4 + 1, width // 5 : width * 4 // 5 + 1]
    return lambda: F.interpolate(crop, size, mode="bilinear", align_corners=False)


def global_pool(case, make):
    x = make(*shapes(case)[0])
    if "MeanAndMax" in case:
        return lambda: (x.float().mean((2, 3)), x.amax((2, 3)))
    if "Max" in case:
        return lambda: x.amax((2, 3))
    return lambda: x.float().mean((2, 3))


def dense(case, make):
    batch, inputs, second, outputs = (int(number) for number in re.findall(r"\d+", case))
    x, weight = make(batch, inputs), make(outputs, inputs + second)
    if second == 0:
        return lambda: torch.sigmoid(F.linear(x, weight))
    other = make(batch, second)
    return lambda: torch.sigmoid(F.linear(torch.cat((x, other), 1), weight))


def channel_scale(case, make):
    shape = shapes(case)[0]
    x, gate, identity = make(*shape), make(*shape[:2]), make(*shape)
    if "Residual" in case:
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


def bisenet(case, make):
    shape = shapes(case)[0]
    x, weight = make(*shape), make(shape[1], shape[1])
    scale, shift = torch.ones_like(weight[0]), torch.zeros_like(weight[0])

    def block():
        pooled = F.linear(x.mean((2, 3)), weight)
        gate = torch.sigmoid(F.batch_norm(pooled, shift, scale, scale, shift))
        scaled = x * gate[:, :, None, None]
        return scaled + x if "FeatureFusion" in case else scaled

    return block


def cbam(case, make):
    shape = shapes(case)[0]
    channels, reduced = shape[1], shape[1] // 16
    x, reduce, expand = make(*shape), make(reduced, channels), make(channels, reduced)
    taps = make(1, 2, 7, 7)

    def both_layers(pooled):
        return F.linear(F.relu(F.linear(pooled, reduce)), expand)

    def spatial(x):
        planes = torch.stack((x.amax(1), x.mean(1)), 1)
        return x * torch.sigmoid(F.conv2d(planes, taps, padding=3))

    def block():
        gate = torch.sigmoid(both_layers(x.mean((2, 3))) + both_layers(x.amax((2, 3))))
        return spatial(x * gate[:, :, None, None])

    return block if "both" in case else lambda: spatial(x)


def scse(case, make):
    shape = shapes(case)[0]
    channels, reduced = shape[1], 32
    x, reduce, expand = make(*shape), make(reduced, channels), make(channels, reduced)
    taps = make(1, channels, 1, 1)
    join = torch.maximum if "Max" in case else torch.add

    def block():
        gate = torch.sigmoid(F.linear(F.relu(F.linear(x.mean((2, 3)), reduce)), expand))
        return join(x * gate[:, :, None, None], x * torch.sigmoid(F.conv2d(x, taps)))

    return block


def eca(case, make):
    shape = shapes(case)[0]
    taps = int(re.search(r"k (\d+)", case)[1])
    x, weight = make(*shape), make(1, 1, taps)

    def block():
        gate = torch.sigmoid(F.conv1d(x.mean((2, 3))[:, None], weight, padding=taps // 2))
        return x * gate[:, 0, :, None, None]

    return block


def pointwise_conv(case, make):
    batch, channels, height, width = shapes(case)[0]
    x = make(batch, channels, height, width)
    stack = 3 if "q, k, v" in case else 1
    weight = make(stack * channels, channels, 1, 1)
    return lambda: F.conv2d(x, weight)


def merge_attention(case, make):
    heads, (shape,) = int(case.split()[0]), shapes(case)
    batch, channels, height, width = shape
    first, second = (make(batch, heads, channels // heads, height, width) for _ in range(2))
    sums = [make(batch, heads, 1, height, width) for _ in range(2)]

    def merge():
        total = torch.logaddexp(*sums)
        weights = [torch.exp(part - total) for part in sums]
        return weights[0].to(first.dtype) * first + weights[1].to(second.dtype) * second, total

    return merge


def window_pool(case, make):
    window, shape = shapes(case)
    x = make(*shape)
    pool = F.avg_pool2d if "Average" in case else F.max_pool2d
    return lambda: pool(x, window)


def attend(q, key, value, heads, k, tables=None):
    """Unfolded keys and values, with zero padding, as public code of the paper does it."""
    batch, channels, height, width = q.shape
    depth = channels // heads

    def unfolded(t):
        return F.unfold(t, k, padding=k // 2).view(batch, heads, depth, k * k, height * width)

    keys = unfolded(key)
    if tables is not None:
        row, column = tables
        embedded = torch.cat((row[:, :, None].expand(-1, k, k), column[:, None, :].expand(-1, k, k)))
        keys = keys + embedded.reshape(1, 1, depth, k * k, 1)
    queries = q.view(batch, heads, depth, 1, height * width) * depth**-0.5
    weights = (queries * keys).sum(2, keepdim=True).float().softmax(3).to(q.dtype)
    return (weights * unfolded(value)).sum(3).view(q.shape)


def window(case):
    """heads, depth, k and the shape of a case."""
    heads, depth, k = (int(group) for group in re.search(r"(\d+)x(\d+) k(\d+)", case).groups())
    return heads, depth, k, shapes(case)[0]


def axes(case):
    """Heads, their depth, the shape, and whether a query attends to a key, of a case over any axes: `4x16 video 3x7x7 [..]`."""
    heads, depth, kind, sizes = re.match(r"(\d+)x(\d+) (\w+) ([\dx+]+)", case).groups()
    sizes = [int(size) for size in re.findall(r"\d+", sizes)]
    shape = shapes(case)[0]
    extents = shape[2:]
    sizes = [1] * (3 - len(sizes)) + sizes if kind in ("line", "video") else sizes

    def near(query, key):
        taken = True
        for axis, extent in enumerate(extents):
            step = extents[2] * extents[1] if axis == 0 else extents[2] if axis == 1 else 1
            q, k = query // step % extent, key // step % extent
            if kind in ("line", "video"):
                first = (q - sizes[axis] // 2).clamp(0, extent - sizes[axis])
                taken = taken & (k >= first) & (k < first + sizes[axis])
            elif axis > 0 and kind == "swin":
                size = sizes[0]
                taken = taken & ((q + size - size // 2) // size == (k + size - size // 2) // size)
            elif axis > 0:
                block, halo = sizes
                first = q // block * block - halo
                taken = taken & (k >= first) & (k < first + block + 2 * halo)
        return taken

    return int(heads), int(depth), shape, near


def cross_attention(case, make):
    heads, depth, keys = (int(number) for number in re.match(r"(\d+)x(\d+) (\d+) keys", case).groups())
    shape = shapes(case)[0]
    q = make(shape[0], heads, shape[2] * shape[3] * shape[4], depth)
    key, value = (make(shape[0], heads, keys, depth) for _ in range(2))
    return lambda: F.scaled_dot_product_attention(q, key, value)


def head_norm_rotary(case, make):
    heads, (shape,) = int(case.split()[0]), shapes(case)
    batch, channels, *extents = shape
    depth = channels // heads
    x, weight = make(batch, heads, depth, *extents), make(depth)
    # The work does not depend on the angles.
    cosine, sine = make(depth // 2, *extents), make(depth // 2, *extents)

    def rotate():
        normed = x * torch.rsqrt(x.square().mean(2, keepdim=True) + 1e-6) * weight[:, None, None, None]
        even, odd = normed[:, :, 0::2], normed[:, :, 1::2]
        turned = torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), 3)
        return turned.flatten(2, 3)

    return rotate


def window_attention(case, make):
    if " k" not in case:
        heads, depth, shape, near = axes(case)
        positions = shape[2] * shape[3] * shape[4]
        q, key, value = (make(shape[0], heads, positions, depth) for _ in range(3))
        place = torch.arange(positions, device=q.device)
        mask = near(place[:, None], place[None, :])
        return lambda: F.scaled_dot_product_attention(q, key, value, attn_mask=mask)
    heads, depth, k, shape = window(case)
    q, key, value = (make(*shape) for _ in range(3))
    tables = [make(depth // 2, k) for _ in range(2)] if "embeddings" in case else None
    return lambda: attend(q, key, value, heads, k, tables)


def sasa_layer(case, make):
    shape, heads, k = shapes(case)[0], 8, int(re.search(r"k(\d+)", case)[1])
    x, weight = make(*shape), make(3 * shape[1], shape[1], 1, 1)
    tables = [make(shape[1] // heads // 2, k) for _ in range(2)]

    def layer():
        return attend(*F.conv2d(x, weight).chunk(3, 1), heads, k, tables)

    return layer


def flex_attention(case, make):
    """The same windows with the keys outside left out, which is FlexAttention's way."""
    if " k" not in case:
        heads, depth, shape, near = axes(case)
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention as flex

        positions = shape[2] * shape[3] * shape[4]
        q, key, value = (make(shape[0], heads, positions, depth) for _ in range(3))
        mask = create_block_mask(lambda _b, _h, a, b: near(a, b), None, None, positions, positions, device=q.device.type)
        compiled = torch.compile(flex)
        return lambda: compiled(q, key, value, block_mask=mask)
    heads, depth, k, (batch, _, height, width) = window(case)
    if "embeddings" in case or depth < 16:  # its kernels need heads of 16 channels at least
        return None
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention as flex

    q, key, value = (make(batch, heads, height * width, depth) for _ in range(3))
    reach = k // 2

    def near(_b, _h, query, other):
        rows = (query // width - other // width).abs() <= reach
        return rows & ((query % width - other % width).abs() <= reach)

    mask = create_block_mask(near, None, None, height * width, height * width, device=q.device.type)
    compiled = torch.compile(flex)
    return lambda: compiled(q, key, value, block_mask=mask)


PEERS = {
    peer.__name__: peer
    for peer in (
        attention_map,
        normalize,
        resize,
        threshold,
        bounding_box,
        crop_resize,
        global_pool,
        dense,
        channel_scale,
        squeeze_excite,
        bisenet,
        cbam,
        scse,
        eca,
        pointwise_conv,
        window_attention,
        merge_attention,
        head_norm_rotary,
        cross_attention,
        sasa_layer,
        window_pool,
    )
}


def measure(run, device, repeats):
    """Median seconds, the caches full of something else."""
    flush = torch.empty(FLUSH_BYTES, dtype=torch.uint8, device=device)
    # A GPU takes a while to raise its clocks; the crate's own measurements wait as long.
    awake = time.perf_counter() + (0.3 if device == "cuda" else 0)
    for repeat in itertools.count():
        if repeat >= 3 and time.perf_counter() >= awake:
            break
        run()
        if device == "cuda":
            flush.zero_()
            torch.cuda.synchronize()
    times = []
    for _ in range(repeats):
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
    parser.add_argument("--repeats", type=int, default=20, help="runs of which the median is taken (20)")
    arguments = parser.parse_args()
    device = arguments.device
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    print(f"# PyTorch {torch.__version__}, CUDA {torch.version.cuda}, {name}, TF32 off; caches flushed, medians of {arguments.repeats}")
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
                # Each case is compiled for its own shapes: past a few of them, code that stays would no longer be compiled at all.
                torch.compiler.reset()
                with torch.no_grad():
                    run = build()
                    if run is None:
                        continue
                    seconds = measure(run, device, arguments.repeats)
            except Exception as error:  # a shape that PyTorch has no memory or kernel for is a line, not the end
                print(f"{row['operator']} {row['case']} {version}: {str(error).splitlines()[0]}", file=sys.stderr)
                continue
            ours = float(row["seconds"])
            short = str(dtype).removeprefix("torch.")
            print(f"{row['operator']}\t{row['case']}\t{version}\t{short}\t{ours:.4e}\t{seconds:.4e}\t{seconds / ours:.3f}", flush=True)


if __name__ == "__main__":
    main()
