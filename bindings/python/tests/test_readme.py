"""The code of the README runs, in order, as one program."""

import pathlib
import re

import pytest

README = pathlib.Path(__file__).resolve().parents[1] / "README.md"


def run(kind):
    """Runs the blocks of a kind, and returns how many there are."""
    blocks = re.findall(rf"^```{kind}\n(.*?)^```", README.read_text(), re.M | re.S)
    names = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)
    return len(blocks)


def test_the_code_of_the_readme_runs(capsys):
    assert run("python") >= 8
    printed = capsys.readouterr().out
    # What its comments promise.
    for promise in re.findall(r"print\(error\)  # (.+)", README.read_text()):
        assert promise in printed


def test_the_code_for_pytorch_runs(capsys):
    pytest.importorskip("torch")
    pytest.importorskip("timm")
    assert run("python torch") == 2
    assert "8 blocks" in capsys.readouterr().out
