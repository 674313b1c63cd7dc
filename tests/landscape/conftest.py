"""Loss landscapes: arithmetic against independent oracles, and whole landscapes of real models."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.observed_training import THEIRS

sys.path.insert(0, str(Path(__file__).parent))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings inside TensorFlow and Keras fail no test; which tests need them say so themselves.
    """
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for warning in THEIRS:
                item.add_marker(pytest.mark.filterwarnings(f"ignore:{warning}"))
