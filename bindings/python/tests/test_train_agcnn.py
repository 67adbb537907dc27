"""The example that trains an AG-CNN, with fewer pictures: fusion beats both branches."""

import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("torch")
Image = pytest.importorskip("PIL.Image")

EXAMPLE = pathlib.Path(__file__).resolve().parents[1] / "examples" / "train_agcnn.py"


def test_fusion_beats_both_branches(tmp_path):
    figure = tmp_path / "agcnn.png"
    sizes = ["--train", "800", "--test", "400", "--epochs", "8", "--figure", str(figure)]
    outcome = subprocess.run([sys.executable, str(EXAMPLE), *sizes], capture_output=True, text=True)
    # It fails where fusion is not the best.
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    table = {
        name: [float(area) for area in line.split()[1:]]
        for name in ("global", "local", "fusion")
        for line in outcome.stdout.splitlines()
        if line.startswith(f"{name}  ") and "epoch" not in line
    }
    *lesions, across, down, mean = zip(table["global"], table["local"], table["fusion"], strict=True)
    # Whether there is a lesion is all that the global branch finds, and of waves the local branch misses some.
    assert all(whole < 0.75 < local for whole, local, _ in lesions), table
    assert all(local < whole for whole, local, _ in (across, down)), table
    assert mean[2] > max(mean[:2]), table
    assert Image.open(figure).size == (608, 808)
