"""Experiments on real models and real data. All need TensorFlow."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.observed_training import mark

sys.path.insert(0, str(Path(__file__).parent))

pytest.importorskip("keras")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark(items, Path(__file__).parent)
