"""Programs that nobody wrote for the recorder train the same with and without it.

`make identity` compares all of tests/scripts; here are two that need special treatment.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import identity

pytest.importorskip("tensorflow")

CHOSEN = ("own_train_function", "run_eagerly")

DIFFERENT = '''
"""Notices whether somebody records."""

import sys

import keras
import numpy as np

model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
recorded = "tb_convergence.training.keras.beside" in sys.modules
'''


def test_the_same_with_and_without(tmp_path: Path) -> None:
    different = tmp_path / "different.py"
    different.write_text(DIFFERENT)
    # It comes first: the module stays loaded in the process.
    scripts = [str(different), *(str(identity.SCRIPTS / f"{name}.py") for name in CHOSEN)]
    plain, recorded = (
        identity.run(kind, scripts) for kind in (identity.PLAIN, identity.DEFAULTS)
    )
    found = {
        Path(script).stem: identity.differences(*reports)
        for script, *reports in zip(scripts, plain, recorded, strict=True)
    }
    assert found.pop("different") == ["at the end: result recorded"]
    assert found == {name: [] for name in CHOSEN}
    assert not any(report["failure"] for report in plain)
    assert not any(reason for report in recorded for reason in report["disabled"])
    assert all(len(report["states"]) > 1 for report in recorded), "fit was called"


def test_every_script_says_what_it_is() -> None:
    assert len(identity.corpus()) >= 12
    for path in identity.corpus():
        assert path.read_text(encoding="utf-8").startswith('"""'), path.name
