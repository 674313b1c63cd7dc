"""Training loops of a person's own, as written in the documentation: real event files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# One thread per operation: sums that several threads share may depend on which ends first, and
# these tests compare weights bit for bit.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

THEIRS = (
    "__array__ implementation doesn't accept:DeprecationWarning",  # TensorFlow with NumPy 2
    "Skipping variable loading for optimizer:UserWarning",  # Keras, when a model is loaded
)
"""Warnings raised inside TensorFlow and Keras, which are not ours to mend."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.tensorflow)
            for warning in THEIRS:
                item.add_marker(pytest.mark.filterwarnings(f"ignore:{warning}"))


@pytest.fixture(scope="session")
def keras() -> Any:
    return pytest.importorskip("keras")
