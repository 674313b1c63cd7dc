"""Makes the helpers of these tests importable under importlib mode, and every test repeatable."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

TRAINS = ("keras", "fresh_keras")
"""Fixtures of tests that train with TensorFlow."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks for Keras is marked as training with TensorFlow."""
    for item in items:
        if set(TRAINS) & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.tensorflow)


@pytest.fixture
def keras() -> Iterator[Any]:
    """Keras on TensorFlow, layer names starting at zero, seeded."""
    pytest.importorskip("tensorflow")
    module = pytest.importorskip("keras")
    module.utils.clear_session()
    module.utils.set_random_seed(7)
    yield module
    module.utils.clear_session()


@pytest.fixture
def fresh_keras(keras: Any) -> None:
    """The same, for tests that need no name for it."""
