"""The example for many machines: two nodes, one killed in mid-run; resuming; broken pictures."""

import io
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

ray = pytest.importorskip("ray")
pytest.importorskip("pyarrow")
Image = pytest.importorskip("PIL.Image")

EXAMPLE = pathlib.Path(__file__).resolve().parents[1] / "examples" / "attend_ray.py"


def make_pictures(folder, count):
    """A bright square in noise, in each picture at another place."""
    random = np.random.default_rng(0)
    boxes = {}
    for index in range(count):
        pixels = random.integers(0, 60, (96, 128, 3), np.uint8)
        top, left = random.integers(8, 64), random.integers(8, 96)
        pixels[top : top + 24, left : left + 24] = 250
        path = folder / f"{index:04}.png"
        Image.fromarray(pixels).save(path)
        boxes[str(path)] = (left, top)
    return boxes


def rows_of(folder):
    import pyarrow.parquet

    return [row for path in sorted(folder.glob("*.parquet")) for row in pyarrow.parquet.read_table(path).to_pylist()]


def command(source, target, *more):
    return [sys.executable, str(EXAMPLE), str(source), str(target), *more]


def run(source, target, *more):
    outcome = subprocess.run(command(source, target, *more), capture_output=True, text=True, timeout=300)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout


def test_pictures_are_attended_to_once_and_broken_ones_have_an_error(tmp_path):
    source, target = tmp_path / "pictures", tmp_path / "regions"
    source.mkdir()
    boxes = make_pictures(source, 20)
    (source / "broken.png").write_bytes(b"no picture")
    (source / "notes.txt").write_text("no picture either")
    assert "21 pictures, 1 with errors" in run(source, target, "--chunk", "4")
    rows = {row["path"]: row for row in rows_of(target)}
    assert set(rows) == {*boxes, str(source / "broken.png")} and len(rows_of(target)) == 21
    assert "cannot identify image" in rows[str(source / "broken.png")]["error"]
    for path, (left, top) in boxes.items():
        row = rows[path]
        assert row["error"] is None and row["score"] > 0.2
        # Around the square, and not much larger.
        assert row["xmin"] <= left + 12 <= row["xmax"] and row["xmax"] - row["xmin"] < 48, (row, left, top)
        assert row["ymin"] <= top + 12 <= row["ymax"] and row["ymax"] - row["ymin"] < 48, (row, left, top)
        assert Image.open(io.BytesIO(row["crop"])).size == (96, 96)
    # What is there is not done again.
    written = {path: path.stat().st_mtime_ns for path in target.glob("*.parquet")}
    make_pictures(source, 22)
    output = run(source, target, "--chunk", "4")
    assert "23 pictures, 21 done before, 2 to do" in output and "2 pictures, 0 with errors" in output
    assert all(path.stat().st_mtime_ns == at for path, at in written.items())
    assert len(rows_of(target)) == len({row["path"] for row in rows_of(target)}) == 23


def test_every_picture_is_there_once_after_a_node_is_killed(tmp_path):
    from ray.cluster_utils import Cluster

    source, target = tmp_path / "pictures", tmp_path / "regions"
    source.mkdir()
    boxes = make_pictures(source, 240)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    try:
        second = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()
        arguments = ["--address", cluster.address, "--num-workers", "2", "--chunk", "4"]
        with (tmp_path / "log").open("w") as log:
            process = subprocess.Popen(command(source, target, *arguments), stdout=log, stderr=log)
            until = time.monotonic() + 120
            # Both have begun, and most is left.
            while not target.exists() or len({row["node"] for row in rows_of(target)}) < 2:
                assert process.poll() is None and time.monotonic() < until, (tmp_path / "log").read_text()
                time.sleep(0.05)
            before = len(rows_of(target))
            cluster.remove_node(second, allow_graceful=False)
            assert before < len(boxes), "the run was over before the node was killed"
            assert process.wait(timeout=240) == 0, (tmp_path / "log").read_text()
    finally:
        cluster.shutdown()
    paths = [row["path"] for row in rows_of(target)]
    assert len(paths) == len(set(paths)) == 240 and set(paths) == set(boxes)
    assert not any(row["error"] for row in rows_of(target))
