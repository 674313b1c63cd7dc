"""Which axes of a Keras variable make one filter, and which variables stay where they are.

The paper normalizes filter by filter. What a filter is depends on the layer: the weights that lead
to one output unit. The authors' code takes PyTorch's first axis; Keras orders axes differently.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from tb_convergence.training.keras import compat

STAYS: Final = frozenset({"bias", "beta", "gamma", "moving_mean", "moving_variance"})
"""Names of variables that filter-normalized directions do not move ("biasbn" in the authors' code).
"""


def filter_axes(model: Any) -> tuple[tuple[int, ...] | None, ...]:
    """For each trainable variable the axes that number its filters; None if it stays.

    | layer | kernel | filter |
    |---|---|---|
    | Dense, Conv, recurrent cells | `(..., output)` | last axis |
    | Conv transpose | `(..., output, input)` | last axis but one |
    | depthwise | `(..., input, multiplier)` | last two axes |
    | EinsumDense, attention | as the equation says | axes of the output that the kernel makes |
    | Embedding | `(token, feature)` | one token |
    | biases, normalization, and all with fewer than two axes | | do not move |
    """
    owners = _owners(model)
    return tuple(
        _axes(variable, owners.get(id(variable))) for variable in model.trainable_variables
    )


def layers_of(model: Any) -> tuple[Any, ...]:
    """The model and every layer in it, at any depth."""
    return tuple(compat.every_layer(model))


def normalization_layers(model: Any) -> tuple[Any, ...]:
    """The batch normalization layers, at any depth."""
    import keras  # noqa: PLC0415  # the server never gets here

    return tuple(
        layer for layer in layers_of(model) if isinstance(layer, keras.layers.BatchNormalization)
    )


def _owners(model: Any) -> dict[int, Any]:
    """Variable (by identity) -> the innermost layer that holds it."""
    owners: dict[int, tuple[int, Any]] = {}
    for layer in layers_of(model):
        held: Iterable[Any] = layer.variables
        size = len(list(held))
        for variable in held:
            if id(variable) not in owners or size <= owners[id(variable)][0]:
                owners[id(variable)] = size, layer
    return {key: layer for key, (_, layer) in owners.items()}


def _axes(variable: Any, layer: Any) -> tuple[int, ...] | None:
    dimensions = len(variable.shape)
    kind = type(layer).__name__
    if dimensions < 2 or variable.name in STAYS or kind.endswith("Normalization"):
        return None
    if kind == "Embedding":
        return (0,)
    if variable.name == "depthwise_kernel" or kind.startswith("Depthwise"):
        return (dimensions - 2, dimensions - 1)
    if kind.endswith("Transpose"):
        return (dimensions - 2,)
    equation = getattr(layer, "equation", None)
    if kind == "EinsumDense" and isinstance(equation, str):
        return _einsum_axes(equation, dimensions)
    return (dimensions - 1,)


def _einsum_axes(equation: str, dimensions: int) -> tuple[int, ...]:
    """Axes of the kernel that only the output shares.

    >>> _einsum_axes("abc,cde->abde", 3), _einsum_axes("abcd,cde->abe", 3)
    ((1, 2), (2,))
    """
    operands, _, output = equation.replace(" ", "").partition("->")
    inputs, _, kernel = operands.partition(",")
    made = tuple(
        axis for axis, letter in enumerate(kernel) if letter in output and letter not in inputs
    )
    return made if len(kernel) == dimensions and made else (dimensions - 1,)
