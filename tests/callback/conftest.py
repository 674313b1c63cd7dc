"""The callback as a person uses it: real trainings, real event files. All need TensorFlow."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.observed_training import mark

sys.path.insert(0, str(Path(__file__).parent))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark(items, Path(__file__).parent)


@pytest.fixture(scope="session")
def keras() -> Any:
    return pytest.importorskip("keras")
