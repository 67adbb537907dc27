"""Stubs are current, agree with what is there, and are what a type checker accepts."""

import subprocess
import sys

import pytest

from visual_attention import _stubs

PROGRAM = """
import numpy as np
import visual_attention as va

x = np.zeros((1, 4, 8, 8), np.float32)
weights = np.zeros((2, 4), np.float32), np.zeros((4, 2), np.float32)
scaled: np.ndarray = va.squeeze_excite(x, *weights, squeeze="max")
tensor: va.Tensor = va.SqueezeExcite(element="float16")(va.Tensor(x), *weights)
region: va.AttendedRegionOutputs[np.ndarray] = va.attended_region(x, images=x, crop=(4, 4))
boxes: np.ndarray = region.boxes
gate: np.ndarray | None = va.squeeze_excite(x, *weights, want="gate").gate
"""


def test_stubs_are_current():
    for path, text in _stubs.files().items():
        assert path.read_text() == text, "run python -m visual_attention._stubs"


def mypy(arguments, tmp_path):
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)


def test_stubs_agree_with_what_is_there(tmp_path):
    pytest.importorskip("mypy")
    modules = ["visual_attention._operators", "visual_attention._native"]
    outcome = mypy(["mypy.stubtest", *modules, "--ignore-disjoint-bases"], tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_a_type_checker_accepts_a_program_and_refuses_a_wrong_option(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "good.py").write_text(PROGRAM)
    outcome = mypy(["mypy", "--strict", "good.py"], tmp_path)
    assert outcome.returncode == 0, outcome.stdout
    (tmp_path / "bad.py").write_text(PROGRAM.replace('"max"', '"median"'))
    outcome = mypy(["mypy", "--strict", "bad.py"], tmp_path)
    assert outcome.returncode == 1 and "[call-overload]" in outcome.stdout, outcome.stdout
