"""What all tests share."""

import os
import pathlib

import pytest

import visual_attention as va

ROOT = pathlib.Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden"


@pytest.fixture(scope="session", autouse=True)
def device():
    """The default device. Without a GPU the tests are skipped, unless one is required."""
    try:
        return va.default_device()
    except RuntimeError as error:
        if os.environ.get("VISUAL_ATTENTION_REQUIRE_GPU"):
            raise
        pytest.skip(str(error))
