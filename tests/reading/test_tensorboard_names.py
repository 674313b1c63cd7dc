"""A canary for each private name of TensorBoard; each says what is lost without it.

`tests/unit/test_private_names.py` sees that there are none elsewhere.
"""

from __future__ import annotations

import pytest

from tb_convergence.reading.tensorboard.compat import PRIVATE_NAMES, PrivateName


@pytest.mark.parametrize("one", PRIVATE_NAMES, ids=lambda one: f"{one.module}.{one.name}")
def test_each_is_there(one: PrivateName) -> None:
    assert one.exists(), f"{one.module} has no {one.name} any more: {one.lost}"


@pytest.mark.parametrize("gone", ["no_such_module.x", "json.nothing", "json.JSONDecoder()._gone"])
def test_what_is_gone_is_noticed(gone: str) -> None:
    module, _, attribute = gone.partition(".")
    assert not PrivateName(module, attribute, "").exists()
