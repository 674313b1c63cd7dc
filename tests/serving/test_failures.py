"""A run that cannot be read is told so for a while, and nothing of it is held meanwhile."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tb_convergence.serving import failures
from tb_convergence.serving.failures import Failures, RunUnreadableError


def test_what_was_read_before_a_failure_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand failures are remembered: with them, their data would be."""
    # pytest keeps what is logged, and with it the traceback.
    monkeypatch.setattr(failures, "_logger", SimpleNamespace(error=lambda *_, **__: None))
    held: list[weakref.ref[Any]] = []

    def fail() -> None:
        data = np.zeros(10)
        held.append(weakref.ref(data))
        raise ValueError("a bug")

    remembered = Failures(10.0, lambda: 0.0)
    for _ in range(2):
        with pytest.raises(RunUnreadableError, match="could not be read"):
            remembered.guarded("run", "read", fail)
    gc.collect()
    assert [one() for one in held] == [None], "it was tried once, and let go"
