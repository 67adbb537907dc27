"""Stubs are current, agree with what is there, and are what a type checker accepts."""

import pathlib
import subprocess
import sys

import pytest

import visual_attention as va
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
"""


def test_the_stub_is_current():
    path = pathlib.Path(va.__file__).with_name("_operators.pyi")
    assert path.read_text() == _stubs.text(), "run python -m visual_attention._stubs"


def mypy(arguments, tmp_path):
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)


def test_stubs_agree_with_what_is_there(tmp_path):
    pytest.importorskip("mypy")
    modules = [f"visual_attention.{name}" for name in ("_operators", "_native")]
    outcome = mypy(["mypy.stubtest", *modules, "--ignore-disjoint-bases"], tmp_path)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_a_type_checker_accepts_a_program_and_refuses_a_wrong_option(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "good.py").write_text(PROGRAM)
    outcome = mypy(["mypy", "--strict", "good.py"], tmp_path)
    assert outcome.returncode == 0, outcome.stdout
    (tmp_path / "bad.py").write_text(PROGRAM.replace('"max"', '"median"'))
    outcome = mypy(["mypy", "--strict", "bad.py"], tmp_path)
    assert outcome.returncode == 1 and "median" in outcome.stdout, outcome.stdout
