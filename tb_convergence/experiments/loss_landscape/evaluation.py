"""The loss at many sets of weights, in compiled calls, without touching the model.

Weights are arguments of the compiled function and never assigned: one trace serves every direction
and every point. Batches of 512 and more use the processor best.

Batch normalization is re-estimated at each point by default. Its kept statistics belong to the
weights at the end of training; away from them activations are scaled wrongly, and the picture shows
that artifact: losses of 1e8 where re-estimated ones stay below 10 (docs/landscape.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_convergence.experiments.loss_landscape.directions import Weights
from tb_convergence.experiments.loss_landscape.samples import Batches
from tb_convergence.experiments.loss_landscape.sharpness import Product
from tb_convergence.experiments.loss_landscape.variables import (
    layers_of,
    normalization_layers,
)
from tb_convergence.training.keras import compat

BatchNorm = Literal["batch", "kept"]

Loss = Callable[..., Any]
"""`(y_true, y_pred)` -> one value per sample, or their mean. Keras' `Loss` objects get
`sample_weight` too."""

CLASSIFICATION: Final = frozenset({
    "sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy",
    "SparseCategoricalCrossentropy", "CategoricalCrossentropy", "BinaryCrossentropy",
})


class EvaluationError(ValueError):
    """A model or a loss that cannot be evaluated; the message says what to do."""


def loss_of(model: Any, loss: Any = None) -> tuple[Loss, str]:
    """The loss to evaluate and its name: `loss` where given, else the one of `compile`.

    Penalties on weights are left out, as in the paper: along any direction they add a parabola
    that depends on nothing but the directions.

    Raises:
        EvaluationError: there is none, or it is one of several.
    """
    chosen = model.loss if loss is None else loss
    if chosen is None:
        raise EvaluationError(
            "the model has no loss: compile it, or pass loss='sparse_categorical_crossentropy' "
            "or another function"
        )
    if isinstance(chosen, (list, tuple)) and len(chosen) == 1:
        chosen = chosen[0]
    if isinstance(chosen, (dict, list, tuple)):
        raise EvaluationError(
            "the model has several losses: pass loss=, one function of (y_true, y_pred) that "
            "combines them as you want them drawn"
        )
    function = keras.losses.get(chosen)
    name = getattr(function, "name", None) or getattr(function, "__name__", "loss")
    if isinstance(chosen, str):
        name = chosen
    return function, str(name)


def accuracy_for(loss_name: str, loss: Loss) -> dict[str, Loss]:
    """`{"accuracy": ...}` where the loss is that of a classifier; else nothing."""
    name = loss_name if loss_name in CLASSIFICATION else type(loss).__name__
    if name not in CLASSIFICATION:
        return {}
    if "parse" in name:
        return {"accuracy": _sparse_accuracy}
    if "inary" in name:
        return {"accuracy": _binary_accuracy(bool(getattr(loss, "from_logits", False)
                                                  or _config(loss).get("from_logits", False)))}
    return {"accuracy": _categorical_accuracy}


def _config(loss: Loss) -> Mapping[str, Any]:
    get_config = getattr(loss, "get_config", None)
    return get_config() if callable(get_config) else {}


def _sparse_accuracy(y: Any, output: Any) -> Any:
    labels = tf.cast(tf.reshape(y, tf.shape(output)[:-1]), tf.int64)
    return tf.cast(tf.equal(labels, tf.argmax(output, -1)), tf.float32)


def _categorical_accuracy(y: Any, output: Any) -> Any:
    return tf.cast(tf.equal(tf.argmax(y, -1), tf.argmax(output, -1)), tf.float32)


def _binary_accuracy(logits: bool) -> Loss:
    limit = 0.0 if logits else 0.5

    def accuracy(y: Any, output: Any) -> Any:
        target = tf.reshape(tf.cast(y, tf.float32), tf.shape(output)) > 0.5
        return tf.cast(tf.equal(target, tf.cast(output, tf.float32) > limit), tf.float32)

    return accuracy


@dataclass
class Surface:
    """Evaluates a model's loss and metrics at points of a line or a plane of weights.

    Attributes:
        model: a built Keras model; it is only read.
        loss: see `Loss`.
        metrics: further functions `(y_true, y_pred)` -> one value per sample, by name.
        training: the samples of the loss.
        validation: further samples, or None.
        batch_norm: "batch" re-estimates statistics from each batch at each point, "kept" uses the
            model's own. Validation samples are normalized with the statistics of the training
            samples at that point.
        names: what `at` returns, in order: "loss", the metrics, and "validation_..." of each.
        normalized: how many batch normalization layers are re-estimated.
    """

    model: Any
    loss: Loss
    metrics: Mapping[str, Loss]
    training: Batches
    validation: Batches | None = None
    batch_norm: BatchNorm = "batch"
    names: tuple[str, ...] = field(init=False)
    normalized: int = field(init=False)

    def __post_init__(self) -> None:
        if not self.model.built:
            raise EvaluationError("the model has no weights yet: build or train it first")
        if self.batch_norm not in ("batch", "kept"):
            raise EvaluationError(f"batch_norm is {self.batch_norm!r}; expected 'batch' or 'kept'")
        own = ("loss", *self.metrics)
        later = tuple(f"validation_{name}" for name in own) if self.validation else ()
        self.names = own + later
        self._base = [tf.identity(v.value) for v in self.model.trainable_variables]
        self._rest = [tf.identity(v.value) for v in self.model.non_trainable_variables]
        self._train = _constants(self.training)
        self._valid = None if self.validation is None else _constants(self.validation)
        self._active = self._active_normalization() if self.batch_norm == "batch" else ()
        self.normalized = len(self._active)
        moving = {
            id(v) for layer in self._active for v in (layer.moving_mean, layer.moving_variance)
        }
        self._moving = [id(v) in moving for v in self.model.non_trainable_variables]
        self._compiled: dict[int, Any] = {}

    def weights(self) -> Weights:
        """The model's trainable weights, as arrays of their own."""
        return tuple(value.numpy() for value in self._base)

    def at(self, points: NDArray[np.floating], vectors: Sequence[Weights]) -> NDArray[np.float64]:
        """Values `[P, Q]` at `points` `[P, K]` of the space spanned by K directions.

        Q are the quantities of `names`. A point where the loss is not finite has NaN or infinity.
        """
        count = len(vectors)
        points = np.asarray(points, np.float32).reshape(-1, count)
        function = self._function(count)
        flat = [tf.constant(part) for direction in vectors for part in direction]
        return np.asarray(function(tf.constant(points), *flat).numpy(), np.float64)

    def _function(self, count: int) -> Any:
        """The compiled function for K directions, traced once."""
        if count not in self._compiled:
            specs = [tf.TensorSpec(value.shape, value.dtype) for value in self._base] * count

            def surface(points: Any, *flat: Any) -> Any:
                size = len(self._base)
                vectors = [flat[k * size : (k + 1) * size] for k in range(count)]

                def point(place: Any) -> Any:
                    weights = [
                        base + tf.add_n([
                            tf.cast(place[k], base.dtype) * vectors[k][i] for k in range(count)
                        ])
                        for i, base in enumerate(self._base)
                    ]
                    return tf.stack(self._values(weights))

                return tf.map_fn(point, points, parallel_iterations=1)

            compiled = tf.function(surface, autograph=False)
            self._compiled[count] = compiled.get_concrete_function(
                tf.TensorSpec([None, count], tf.float32), *specs
            )
        return self._compiled[count]

    def _values(self, weights: Sequence[Any]) -> list[Any]:
        values, statistics = self._pass(weights, self._rest, self._train, bool(self._active))
        if self._valid is not None:
            values += self._pass(weights, statistics, self._valid, False)[0]
        return values

    def _pass(
        self, weights: Sequence[Any], rest: Sequence[Any], data: Batches, estimate: bool
    ) -> tuple[list[Any], list[Any]]:
        """Mean values over the batches, and the state with mean re-estimated statistics."""
        count = keras.tree.flatten(data.x)[0].shape[0]
        quantities = 1 + len(self.metrics)
        moving = [value for value, moves in zip(rest, self._moving, strict=True) if moves]

        def one(index: Any, sums: Any, statistics: Any) -> Any:
            y, output, state = self._forward(weights, rest, data, index, estimate)
            weight = None if data.weights is None else data.weights[index]
            found = [_mean(self.loss, y, output, weight)]
            found += [_mean(metric, y, output, weight) for metric in self.metrics.values()]
            new = [value for value, moves in zip(state, self._moving, strict=True) if moves]
            sums = [total + value for total, value in zip(sums, found, strict=True)]
            statistics = [a + b for a, b in zip(statistics, new, strict=True)]
            return index + 1, sums, statistics

        start = [tf.constant(0.0)] * quantities, [tf.zeros_like(value) for value in moving]
        _, sums, statistics = tf.while_loop(
            lambda index, *_: index < count, one, (0, *start), parallel_iterations=1
        )
        renewed = iter([value / count for value in statistics] if estimate else moving)
        state = [
            next(renewed) if moves else value
            for value, moves in zip(rest, self._moving, strict=True)
        ]
        return [value / count for value in sums], state

    def _forward(
        self, weights: Sequence[Any], rest: Sequence[Any], data: Batches, index: Any, estimate: bool
    ) -> tuple[Any, Any, Any]:
        x, y = (_at(part, index) for part in (data.x, data.y))
        with _estimating(self._active if estimate else ()):
            output, state = self.model.stateless_call(weights, rest, x, training=False)
        return y, output, state

    def hessian_product(self, samples: Batches) -> Product:
        """The Hessian of the loss in all trainable weights times a vector `[D]`, at the model's
        weights; one product costs 2.3 to 2.8 gradients.

        Raises:
            LookupError: an operation of the model has no second derivative, or a wrong one.
        """
        if any(type(layer).__name__ == "GroupNormalization" for layer in layers_of(self.model)):
            raise LookupError(
                "TensorFlow's second derivative of group normalization is wrong (tf.nn.moments "
                "stops a gradient)"
            )
        data = _constants(samples)
        count = keras.tree.flatten(data.x)[0].shape[0]
        sizes = [int(np.prod(value.shape)) for value in self._base]

        def one(index: Any, parts: Sequence[Any]) -> list[Any]:
            with tf.GradientTape() as outer:
                outer.watch(self._base)
                with tf.GradientTape() as inner:
                    inner.watch(self._base)
                    y, output, _ = self._forward(
                        self._base, self._rest, data, index, bool(self._active)
                    )
                    weight = None if data.weights is None else data.weights[index]
                    loss = _mean(self.loss, y, output, weight)
                gradients = inner.gradient(loss, self._base)
                dot = tf.add_n([
                    tf.reduce_sum(tf.cast(g * tf.cast(p, g.dtype), tf.float32))
                    for g, p in zip(gradients, parts, strict=True)
                    if g is not None
                ])
            products = outer.gradient(dot, self._base)
            return [
                tf.zeros_like(base) if product is None else product
                for base, product in zip(self._base, products, strict=True)
            ]

        def product(vector: Any) -> Any:
            pieces = tf.split(vector, sizes)
            parts = [tf.reshape(p, b.shape) for p, b in zip(pieces, self._base, strict=True)]

            def body(index: Any, sums: Any) -> Any:
                found = one(index, parts)
                return index + 1, [a + b for a, b in zip(sums, found, strict=True)]

            _, sums = tf.while_loop(
                lambda index, _: index < count, body,
                (0, [tf.zeros_like(base) for base in self._base]), parallel_iterations=1,
            )
            return tf.concat([tf.reshape(tf.cast(s, tf.float32), [-1]) for s in sums], 0) / count

        compiled = tf.function(product, autograph=False).get_concrete_function(
            tf.TensorSpec([sum(sizes)], tf.float32)
        )
        return lambda vector: np.asarray(
            compiled(tf.constant(vector.astype(np.float32))).numpy(), np.float64
        )

    def _active_normalization(self) -> tuple[Any, ...]:
        """Batch normalization layers that use the batch's statistics when the model trains.

        A layer that is frozen, or that the program calls with `training=False`, does not; so the
        model is traced once in training mode, and each layer says what reached it.
        """
        layers = normalization_layers(self.model)
        if not layers:
            return ()
        seen: set[int] = set()
        with _calls_replaced(layers, lambda layer, call: _noting(layer, call, seen)):
            def probe(index: Any) -> Any:
                x = _at(self._train.x, index)
                self.model.stateless_call(self._base, self._rest, x, training=True)
                return index

            tf.function(probe, autograph=False).get_concrete_function(tf.TensorSpec([], tf.int32))
        return tuple(layer for layer in layers if id(layer) in seen and layer.trainable)


def _constants(batches: Batches) -> Batches:
    """The same batches as tensors."""
    def constant(leaf: Any) -> Any:
        return tf.constant(leaf)

    return Batches(
        keras.tree.map_structure(constant, batches.x),
        keras.tree.map_structure(constant, batches.y),
        None if batches.weights is None else tf.constant(batches.weights, tf.float32),
        batches.batch, batches.count,
    )


def _at(structure: Any, index: Any) -> Any:
    return keras.tree.map_structure(lambda leaf: leaf[index], structure)


def _mean(function: Loss, y: Any, output: Any, weight: Any) -> Any:
    """Mean of a loss or metric over one batch, as float32."""
    if isinstance(function, keras.losses.Loss):
        value = function(y, output, sample_weight=weight)
    else:
        value = function(y, output)
        if weight is not None and len(value.shape) == 1:
            return tf.cast(tf.reduce_sum(tf.cast(value, tf.float32) * weight), tf.float32) / (
                tf.reduce_sum(weight)
            )
    return tf.cast(tf.reduce_mean(value), tf.float32)


@contextmanager
def _estimating(layers: Sequence[Any]) -> Iterator[None]:
    """While a call is traced: `layers` normalize with the batch's statistics, and report them
    undamped as their new moving ones. Dropout and all else stay in inference mode."""
    momenta = [layer.momentum for layer in layers]
    with _calls_replaced(layers, _in_training), ExitStack() as stack:
        try:
            for layer in layers:
                layer.momentum = 0.0
                stack.enter_context(compat.batch_moments_replaced(layer, _moments))
            yield
        finally:
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum


def _moments(own: Callable[..., Any], axes_of: Callable[[], Any]) -> Callable[..., Any]:
    """Mean and variance of a batch, right in their second derivatives too.

    `tf.nn.moments` stops the gradient at the mean inside the variance. That leaves first
    derivatives as they are and makes second ones wrong, by about 5% on a small network.
    """
    def moments(inputs: Any, mask: Any) -> Any:
        if mask is not None:
            return own(inputs, mask)
        axes = axes_of()
        x = tf.cast(inputs, tf.float32)
        mean = tf.reduce_mean(x, axes, keepdims=True)
        variance = tf.reduce_mean(tf.square(x - mean), axes)
        return tf.cast(tf.squeeze(mean, axes), inputs.dtype), tf.cast(variance, inputs.dtype)

    return moments


def _in_training(layer: Any, call: Callable[..., Any]) -> Callable[..., Any]:
    def in_training(inputs: Any, training: Any = None, mask: Any = None) -> Any:
        return call(inputs, training=True, mask=mask)

    return in_training


def _noting(layer: Any, call: Callable[..., Any], seen: set[int]) -> Callable[..., Any]:
    def noting(inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if training:
            seen.add(id(layer))
        return call(inputs, training=training, mask=mask)

    return noting


@contextmanager
def _calls_replaced(
    layers: Sequence[Any], replace: Callable[[Any, Callable[..., Any]], Callable[..., Any]]
) -> Iterator[None]:
    """Give each layer another `call` for the duration; the layer's own is the class's again after.
    """
    earlier = [vars(layer).get("call") for layer in layers]
    try:
        for layer in layers:
            object.__setattr__(layer, "call", replace(layer, layer.call))
        yield
    finally:
        for layer, own in zip(layers, earlier, strict=True):
            if own is None:
                vars(layer).pop("call", None)
            else:
                object.__setattr__(layer, "call", own)
