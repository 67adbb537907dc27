"""The code of the README runs, in order, as one program."""

import pathlib
import re

README = pathlib.Path(__file__).resolve().parents[1] / "README.md"


def test_the_code_of_the_readme_runs(capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.M | re.S)
    assert len(blocks) >= 8
    names = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)
    printed = capsys.readouterr().out
    # What its comments promise.
    for promise in re.findall(r"print\(error\)  # (.+)", README.read_text()):
        assert promise in printed
