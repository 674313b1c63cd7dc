"""What every folder of tests that trains under observation needs: imported by their conftests.

Importing it settles the environment, so it comes before TensorFlow.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# One thread per operation: sums that several threads share may depend on which ends first, and
# these tests compare weights bit for bit.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

THEIRS = (
    "__array__ implementation doesn't accept:DeprecationWarning",  # TensorFlow with NumPy 2
    "Skipping variable loading for optimizer:UserWarning",  # Keras, when a model is loaded
)
"""Warnings raised inside TensorFlow and Keras, which are not ours to mend."""


def mark(items: list[pytest.Item], folder: Path) -> None:
    """Tests below `folder` need TensorFlow, and are not failed by its warnings."""
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.tensorflow)
            for warning in THEIRS:
                item.add_marker(pytest.mark.filterwarnings(f"ignore:{warning}"))
