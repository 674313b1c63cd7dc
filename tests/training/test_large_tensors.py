"""A hundred million entries: counts and sums beyond what float32 counts exactly."""

from __future__ import annotations

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from tb_convergence.training.instep import kernels  # noqa: E402

pytestmark = pytest.mark.tensorflow

ENTRIES = 10**8


def test_a_hundred_million_entries() -> None:
    """A cycle of four values, so that every number is known in closed form."""
    cycle = np.array([0.0, 1.0, -2.0, 3.0], np.float32)
    values = tf.tile(tf.constant(cycle), [ENTRIES // 4])
    names = ("norm", "max_abs", "mean_abs", "mean", "zero_fraction", "nan_fraction")
    found = dict(zip(names, kernels.entries(names, values, None, False).numpy(), strict=True))
    assert found["norm"] == pytest.approx(np.sqrt(14 * ENTRIES / 4), rel=1e-5)
    assert found["max_abs"] == 3.0
    assert found["mean_abs"] == pytest.approx(1.5, rel=1e-5)
    assert found["mean"] == pytest.approx(0.5, rel=1e-4)
    assert found["zero_fraction"] == pytest.approx(0.25, rel=1e-5)
    assert found["nan_fraction"] == 0.0
