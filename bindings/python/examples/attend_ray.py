"""Finds the salient region of every picture in a folder or a bucket, on as many machines as a Ray cluster has.

    python attend_ray.py pictures/ regions/ --num-workers 2
    python attend_ray.py s3://bucket/pictures s3://bucket/regions --address auto --num-workers 16

Each worker holds one device. It takes a chunk of pictures, and writes their boxes, scores and crops as one Parquet
file. A file appears as a whole, under a name that follows from the names of its pictures. So a chunk that is done
again, because a machine was lost, replaces its own file, and every picture is there once. A run that is started
again leaves out the pictures that are there. A picture that can't be read becomes a row with its error.

The map is how much each pixel differs from the mean of its picture, over the colours. A network's features would take
its place.
"""

import argparse
import hashlib
import io
import os
import time
import uuid

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet
import ray
from PIL import Image

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
SIDE, CROP = 224, 96
SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("error", pa.string()),
        *[(name, pa.int32()) for name in ("xmin", "ymin", "xmax", "ymax")],
        ("score", pa.float32()),
        ("crop", pa.binary()),
        ("node", pa.string()),
    ]
)


def place(url):
    """A file system and the path in it."""
    if "://" in url:
        return pa.fs.FileSystem.from_uri(url)
    return pa.fs.LocalFileSystem(), os.path.abspath(url)


def pictures(url):
    """Paths of all pictures, in order."""
    files, path = place(url)
    found = files.get_file_info(pa.fs.FileSelector(path, recursive=True))
    return sorted(info.path for info in found if info.path.lower().endswith(ENDINGS))


def done(url):
    """Paths of the pictures that are in the result."""
    files, path = place(url)
    files.create_dir(path, recursive=True)
    found = files.get_file_info(pa.fs.FileSelector(path))
    parts = [info.path for info in found if info.path.endswith(".parquet")]
    if not parts:
        return set()
    table = pa.dataset.dataset(parts, filesystem=files, schema=SCHEMA).to_table(columns=["path"])
    return set(table["path"].to_pylist())


class Attend:
    """A worker with its device."""

    def __init__(self, source, target):
        import visual_attention as va

        self.source, self.target = place(source)[0], place(target)
        self.small, self.mean = va.Resize(size=56), va.GlobalPool()
        self.region = va.AttendedRegion(crop=(CROP, CROP), statistic="mean_abs", threshold="value:0.5")
        self.node = ray.get_runtime_context().get_node_id()

    def __call__(self, batch):
        counts = [self.write(list(paths)) for paths in batch["paths"]]
        return {"pictures": [count[0] for count in counts], "errors": [count[1] for count in counts]}

    def write(self, paths):
        """Attends to a chunk, and writes its file. Returns the numbers of pictures and of errors."""
        rows, read, sizes = {}, [], []
        for path in paths:
            rows[path] = {"path": path, "node": self.node}
            try:
                with self.source.open_input_file(path) as file:
                    picture = Image.open(io.BytesIO(file.read())).convert("RGB")
                sizes.append(picture.size)
                read.append((path, np.asarray(picture.resize((SIDE, SIDE)), np.float32).transpose(2, 0, 1) / 255))
            except Exception as error:
                rows[path]["error"] = f"{type(error).__name__}: {error}"
        if read:
            self.attend(rows, read, sizes)
        table = pa.Table.from_pylist([rows[path] for path in paths], schema=SCHEMA)
        files, folder = self.target
        name = hashlib.sha256("\n".join(paths).encode()).hexdigest()[:24]
        unfinished = f"{folder}/{name}.{uuid.uuid4().hex}.unfinished"
        pa.parquet.write_table(table, unfinished, filesystem=files)
        files.move(unfinished, f"{folder}/{name}.parquet")
        return len(paths), len(paths) - len(read)

    def attend(self, rows, read, sizes):
        images = np.stack([pixels for _, pixels in read])
        small = self.small(images)
        features = np.abs(small.numpy() - self.mean(small).numpy()[:, :, None, None])
        region = self.region(features, images=images, want=["crops"])
        crops = (255 * region.crops.numpy().clip(0, 1)).round().astype(np.uint8).transpose(0, 2, 3, 1)
        scores = features.mean(1).max((1, 2))
        for (path, _), size, box, crop, score in zip(read, sizes, region.boxes.numpy(), crops, scores, strict=True):
            # Pixels of the picture itself, inclusive.
            last = np.array([[0, 0], [1, 1]])
            scaled = ((box.reshape(2, 2) + last) * size // SIDE - last).ravel()
            encoded = io.BytesIO()
            Image.fromarray(crop).save(encoded, "png")
            rows[path] |= dict(zip(("xmin", "ymin", "xmax", "ymax"), map(int, scaled), strict=True))
            rows[path] |= {"score": float(score), "crop": encoded.getvalue()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="folder or bucket URL of pictures")
    parser.add_argument("target", help="folder or bucket URL for the Parquet files")
    parser.add_argument("--num-workers", type=int, default=1)
    parser.add_argument("--chunk", type=int, default=16, help="pictures of one file")
    parser.add_argument("--address", help="of a Ray cluster; without it one is started on this machine")
    arguments = parser.parse_args()
    # A cluster of this machine gets a worker for each that is asked for, whatever its cores.
    cores = {} if arguments.address else {"num_cpus": max(arguments.num_workers, os.cpu_count() or 1) + 1}
    ray.init(address=arguments.address, log_to_driver=False, include_dashboard=None, **cores)
    every, there = pictures(arguments.source), done(arguments.target)
    left = [path for path in every if path not in there]
    print(f"{len(every)} pictures, {len(every) - len(left)} done before, {len(left)} to do", flush=True)
    chunks = [left[start : start + arguments.chunk] for start in range(0, len(left), arguments.chunk)]
    totals, start = [0, 0], time.perf_counter()
    if chunks:
        # One device for each worker: a GPU where the cluster has some, else a core for the software driver.
        resources = {"num_gpus": 1} if ray.cluster_resources().get("GPU") else {"num_cpus": 1}
        work = ray.data.from_items([{"paths": chunk} for chunk in chunks], override_num_blocks=len(chunks)).map_batches(
            Attend,
            fn_constructor_args=(arguments.source, arguments.target),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(arguments.num_workers, len(chunks))),
            scheduling_strategy="SPREAD",
            **resources,
        )
        for row in work.iter_rows():
            totals = [totals[0] + row["pictures"], totals[1] + row["errors"]]
    took = time.perf_counter() - start
    rate = totals[0] / took if totals[0] else 0
    print(f"{totals[0]} pictures, {totals[1]} with errors, {took:.1f} s, {rate:.1f} a second", flush=True)
    ray.shutdown()


if __name__ == "__main__":
    main()
