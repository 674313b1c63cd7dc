"""Makes the package `zoo` importable. The programs import Keras, so no doctest run opens them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "unit")]

collect_ignore_glob = ["families/*", "baselines/*"]
collect_ignore = [
    "__main__.py", "catalogue.py", "data.py", "listing.py", "networks.py", "published_program.py",
]

THEIRS = (
    "__array__ implementation doesn't accept:DeprecationWarning",  # TensorFlow with NumPy 2
    "Skipping variable loading for optimizer:UserWarning",  # Keras, when a model is loaded
    r"`np.object` will be deprecated:FutureWarning",
)
"""Warnings raised inside TensorFlow and Keras, which are not ours to mend."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            for warning in THEIRS:
                item.add_marker(pytest.mark.filterwarnings(f"ignore:{warning}"))
