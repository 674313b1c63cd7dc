"""A configuration of thousands of layers is looked through in time that grows with their number."""

from __future__ import annotations

import pytest

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.history import RunHistory

FEW, MANY = 1_000, 8_000


def lookups(count: int, loop: bool) -> int:
    """How many layers are compared by name when each is asked for what feeds it."""
    layers = [
        {"name": f"l{i}", "class": "Dropout", "inputs": [f"l{i if loop else max(0, i - 1)}"]}
        for i in range(count)
    ]
    model = configuration(RunHistory("r", config={"model": {"layers": layers}}))
    calls = 0
    before = type(model).before

    def counted(self: object, layer: object) -> object:
        nonlocal calls
        calls += 1
        return before(self, layer)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "before", counted)
        found = [model.source(layer) for layer in model.layers]
    assert found == [None] * count  # nothing but layers that add no non-linearity
    return calls


@pytest.mark.parametrize("loop", [False, True])
def test_time_grows_in_proportion_to_the_layers(loop: bool) -> None:
    assert lookups(MANY, loop) <= 2 * MANY / FEW * lookups(FEW, loop)
