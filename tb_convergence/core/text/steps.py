"""Steps as text."""

from __future__ import annotations


def step_word(axis: str) -> str:
    """The name of a run's steps: logs of Keras' own callback may count only epochs.

    >>> step_word("epoch"), step_word("step")
    ('epoch', 'step')
    """
    return "epoch" if axis == "epoch" else "step"


def step_range(first: int, last: int, unit: str = "step") -> str:
    """Steps from `first` to `last`, both included; one step where `last` is not later.

    >>> step_range(40, 1200), step_range(3, 3, "epoch")
    ('steps 40 to 1,200', 'epoch 3')
    """
    if last <= first:
        return f"{unit} {first:,}"
    return f"{unit}s {first:,} to {last:,}"
