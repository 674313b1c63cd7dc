"""Fixtures: the samples behind TensorBoard's own WSGI application."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
from werkzeug.test import Client

with warnings.catch_warnings():
    # TensorBoard's vendored HTML sanitizer warns when it is imported; everything else is an error.
    warnings.filterwarnings("ignore", "html5lib's sanitizer is deprecated", DeprecationWarning)
    import tensorboard.plugin_util  # noqa: F401

from tests.serving.contract import examined_runs
from tests.serving.sample_server import build
from tests.serving.samples import SampleSource, all_samples


@pytest.fixture(scope="session")
def samples() -> SampleSource:
    """All sample runs; not to be changed."""
    return all_samples()


@pytest.fixture(scope="session")
def client(samples: SampleSource) -> Client:
    """A client of the plugin inside TensorBoard's application.

    Every run has been examined, so that two replies to one question are the same.
    """
    examined = Client(build(samples))
    examined_runs(examined)
    return examined


@pytest.fixture
def source() -> Iterator[SampleSource]:
    """A source of one's own, empty."""
    return SampleSource()
