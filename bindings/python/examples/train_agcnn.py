"""Trains an attention guided network, AG-CNN (Guan et al. 2018, arXiv:1801.09927), on pictures that it makes.

Three stages, each with the earlier ones frozen, as in the paper:

1. The global branch sees the whole picture, at a quarter of its resolution.
2. Its features show where to look: map, threshold, largest component, box. The local branch sees what is inside the
   box, at full resolution.
3. The fusion head takes the pooled features of both branches.

The pictures are noise. Some have a small bright lesion of one of four textures, which are too fine for the global
branch. Some have a faint wave over the whole picture, of one of two directions, which is too coarse for the local
branch. So neither branch can find everything. Convolutions are PyTorch's. Pooling, dense layers, regions and
overlays run on the device of `visual_attention`.

Prints the area under the ROC curve of the three branches, and fails unless fusion is the best. Writes a figure with
map, box and crop. Seeds are fixed.
"""

import argparse
import pathlib
import time

import numpy as np
import torch
from torch import nn

import visual_attention as va
import visual_attention.torch as vt

CLASSES = ["rows", "columns", "checks", "dots", "wave across", "wave down"]
SIDE, SEEN, CROP = 192, 48, 48
LESION = 28


def textures():
    """Four fine textures of equal mean, which fade towards their edges."""
    rows, columns = np.mgrid[:LESION, :LESION]
    fade = np.sin(np.pi * (np.arange(LESION) + 0.5) / LESION)
    stripes = [(rows // 2) % 2, (columns // 2) % 2, (rows // 2 + columns // 2) % 2]
    dots = (rows % 4 < 2) & (columns % 4 < 2)
    return [np.outer(fade, fade) * 2.4 * texture for texture in [*stripes, 2.0 * dots]]


def pictures(count, generator):
    """Pictures `[count, 1, SIDE, SIDE]` and labels `[count, classes]`."""
    images = 0.5 * generator.standard_normal((count, 1, SIDE, SIDE)).astype(np.float32)
    labels = np.zeros((count, len(CLASSES)), np.float32)
    kinds, along = textures(), 2 * np.pi * np.arange(SIDE) / 96
    for image, label in zip(images[:, 0], labels, strict=True):
        if generator.random() < 0.7:
            kind = generator.integers(len(kinds))
            top, left = generator.integers(4, SIDE - LESION - 4, 2)
            image[top : top + LESION, left : left + LESION] += kinds[kind]
            label[kind] = 1
        for axis in range(2):
            if generator.random() < 0.4:
                wave = 0.2 * np.sin(along + generator.uniform(0, 2 * np.pi)).astype(np.float32)
                image += wave[None, :] if axis == 0 else wave[:, None]
                label[4 + axis] = 1
    return images, labels


class Branch(nn.Module):
    """Convolutions, our global pooling, and our dense layer."""

    def __init__(self, classes):
        super().__init__()

        def block(inputs, outputs, side=3):
            convolution = nn.Conv2d(inputs, outputs, side, padding=side // 2, bias=False)
            return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]

        # The last ones look at single places: a map of them does not move away from what they found.
        layers = [*block(1, 16), nn.MaxPool2d(2), *block(16, 32), nn.MaxPool2d(2), *block(32, 48, 1), *block(48, 48, 1)]
        self.convolutions = nn.Sequential(*layers)
        self.head = nn.Linear(96, classes)

    def features(self, x):
        return self.convolutions(x)

    def pooled(self, x):
        both = vt.global_pool(self.features(x), squeeze="mean_and_max")
        return torch.cat([both.mean, both.max], 1)

    def forward(self, x):
        return vt.dense(self.pooled(x), self.head.weight, bias=self.head.bias)


class Fusion(nn.Module):
    """The pooled features of both branches, one dense layer."""

    def __init__(self, classes):
        super().__init__()
        self.head = nn.Linear(192, classes)

    def forward(self, both):
        return vt.dense(both[0], self.head.weight, second=both[1], bias=self.head.bias)


def batches(count, size, generator=None):
    order = torch.arange(count) if generator is None else torch.randperm(count, generator=generator)
    return order.split(size)


def fit(model, inputs, labels, epochs, rate, name):
    """Trains on inputs, a tensor or a tuple of tensors."""
    generator = torch.Generator().manual_seed(1)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=1e-3)
    steps = epochs * len(batches(len(labels), 64))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    model.train()
    for epoch in range(epochs):
        start, total = time.perf_counter(), 0.0
        for rows in batches(len(labels), 64, generator):
            taken = tuple(part[rows] for part in inputs) if isinstance(inputs, tuple) else inputs[rows]
            loss = nn.functional.binary_cross_entropy_with_logits(model(taken), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(rows)
        took = time.perf_counter() - start
        print(f"{name:6} epoch {epoch + 1:2}/{epochs}  loss {total / len(labels):.3f}  {took:.1f} s", flush=True)
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)


@torch.no_grad()
def over(function, inputs, size=64):
    """A function of batches, over all of them."""
    parts = [function(inputs[rows]) for rows in batches(len(inputs), size)]
    return torch.cat(parts)


class Attention:
    """Where the global branch looks, and what is there. The pipelines are kept."""

    def __init__(self, branch):
        self.branch = branch
        self.region = va.AttendedRegion(crop=(CROP, CROP), statistic="max", threshold="value:0.5")

    @torch.no_grad()
    def __call__(self, seen, images):
        features = self.branch.features(seen).contiguous().numpy()
        return self.region(features, images=images.numpy(), want=["crops"])

    def crops(self, seen, images):
        parts = [self(seen[rows], images[rows]).crops.numpy() for rows in batches(len(seen), 64)]
        return torch.from_numpy(np.concatenate(parts))


def area_under_curve(scores, labels):
    """The probability that a positive scores above a negative; ties count half."""
    areas = []
    for of_class, truth in zip(scores.T, labels.T.astype(bool), strict=True):
        _, inverse, counts = np.unique(of_class, return_inverse=True, return_counts=True)
        ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
        positives = truth.sum()
        areas.append((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * (~truth).sum()))
    return np.array(areas)


def figure(path, attention, seen, images, labels):
    """Rows of picture with box, map over the picture, and crop."""
    from PIL import Image, ImageDraw

    chosen = np.flatnonzero(labels[:, :4].any(1))[:4]
    region = attention(seen[chosen], images[chosen])
    scaled = np.clip((images[chosen].numpy() + 1.5) / 4, 0, 1)
    overlay = va.heat_overlay(region.map.numpy(), np.repeat(scaled, 3, 1), opacity=0.5)
    heat = overlay.view(np.uint8).reshape(len(chosen), SIDE, SIDE, 4)[..., :3]
    crops = np.clip((region.crops.numpy() + 1.5) / 4, 0, 1)
    sheet = Image.new("RGB", (3 * SIDE + 32, len(chosen) * (SIDE + 8) + 8), "white")
    for row, (picture, box, label) in enumerate(zip(scaled[:, 0], region.boxes.numpy(), labels[chosen], strict=True)):
        tiles = [Image.fromarray((255 * picture).astype(np.uint8)).convert("RGB"), Image.fromarray(heat[row])]
        tiles.append(Image.fromarray((255 * crops[row, 0]).astype(np.uint8)).convert("RGB").resize((SIDE, SIDE)))
        ImageDraw.Draw(tiles[0]).rectangle(tuple(int(side) for side in box), outline="yellow")
        names = ", ".join(name for name, there in zip(CLASSES, label, strict=True) if there)
        ImageDraw.Draw(tiles[2]).text((4, 4), names, fill="yellow")
        for column, tile in enumerate(tiles):
            sheet.paste(tile, (8 + column * (SIDE + 8), 8 + row * (SIDE + 8)))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
    print(f"{path}: picture with box, map, crop")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=2400, help="pictures to train on")
    parser.add_argument("--test", type=int, default=1000, help="pictures to test on")
    parser.add_argument("--epochs", type=int, default=16, help="epochs of each branch")
    parser.add_argument("--figure", type=pathlib.Path, default=pathlib.Path("agcnn.png"))
    arguments = parser.parse_args()
    start = time.perf_counter()
    print(va.default_device().name)
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    sets = [pictures(count, generator) for count in (arguments.train, arguments.test)]
    (images, labels), (test_images, test_labels) = [tuple(map(torch.from_numpy, of)) for of in sets]
    # What the global branch sees of them.
    seen, test_seen = (nn.functional.avg_pool2d(of, SIDE // SEEN) for of in (images, test_images))

    whole = Branch(len(CLASSES))
    fit(whole, seen, labels, arguments.epochs, 4e-3, "global")
    attention = Attention(whole)
    crops, test_crops = attention.crops(seen, images), attention.crops(test_seen, test_images)
    local = Branch(len(CLASSES))
    fit(local, crops, labels, arguments.epochs, 4e-3, "local")
    pooled = [(over(whole.pooled, at), over(local.pooled, of)) for at, of in ((seen, crops), (test_seen, test_crops))]
    fusion = Fusion(len(CLASSES))
    fit(fusion, pooled[0], labels, 2 * arguments.epochs, 1e-2, "fusion")

    scores = {
        "global": over(whole, test_seen),
        "local": over(local, test_crops),
        "fusion": fusion(pooled[1]),
    }
    truth = test_labels.numpy()
    areas = {name: area_under_curve(of.detach().numpy(), truth) for name, of in scores.items()}
    print("\narea under the ROC curve  " + "  ".join(f"{name:>11}" for name in [*CLASSES, "mean"]))
    for name, of in areas.items():
        print(f"{name:24}  " + "  ".join(f"{area:11.3f}" for area in [*of, of.mean()]))
    figure(arguments.figure, attention, test_seen, test_images, truth)
    print(f"{time.perf_counter() - start:.0f} s")
    best = areas["fusion"].mean()
    if not best > max(areas["global"].mean(), areas["local"].mean()):
        raise SystemExit("fusion is not the best of the three")


if __name__ == "__main__":
    main()
