"""Small trainings that differ in what could trip a recorder; each is seeded and takes a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

SAMPLES, BATCH = 64, 16


def images(rng: np.random.Generator) -> tuple[Any, Any]:
    return rng.normal(size=(SAMPLES, 8, 8, 1)).astype("float32"), rng.integers(0, 4, SAMPLES)


def vectors(rng: np.random.Generator) -> tuple[Any, Any]:
    return rng.normal(size=(SAMPLES, 12)).astype("float32"), rng.integers(0, 4, SAMPLES)


def tokens(rng: np.random.Generator) -> tuple[Any, Any]:
    return rng.integers(0, 30, (SAMPLES, 6)), rng.integers(0, 4, SAMPLES)


def pairs(rng: np.random.Generator) -> tuple[Any, Any]:
    data = [rng.normal(size=(SAMPLES, n)).astype("float32") for n in (5, 7)]
    return data, rng.integers(0, 4, SAMPLES)


def dense(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(16, activation="relu", kernel_regularizer="l2"),
            layers.Dropout(0.3),
            layers.Dense(4),
        ]
    )


def convolutional(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )


def recurrent(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((6,), dtype="int32"), layers.Embedding(30, 8), layers.LSTM(8), layers.Dense(4)]
    )


def two_inputs(keras: Any) -> Any:
    layers = keras.layers
    first, second = keras.Input((5,)), keras.Input((7,))
    joined = layers.Concatenate()([layers.Dense(6, "relu")(first), layers.Dense(6)(second)])
    return keras.Model([first, second], layers.Dense(4)(joined))


def subclassed(keras: Any) -> Any:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = keras.layers.Dense(16, activation="tanh")
            self.out = keras.layers.Dense(4)

        def call(self, x: Any) -> Any:
            return self.out(self.hidden(x))

    return Own()


def shared_layer(keras: Any) -> Any:
    twice = keras.layers.Dense(12, activation="relu")
    return keras.Sequential([keras.Input((12,)), twice, twice, keras.layers.Dense(4)])


def residual(keras: Any) -> Any:
    """Sums and products as gradients and as outputs: the graph optimizer reorders those."""

    class Block(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.inner = keras.layers.Dense(12, activation="relu")
            self.norm = keras.layers.LayerNormalization()

        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(shape=(12,), initializer="ones", name="scale")
            self.shift = self.add_weight(shape=(12,), initializer="zeros", name="shift")

        def call(self, x: Any) -> Any:
            return self.norm(x) * self.scale + self.inner(x) * self.shift

    inputs = keras.Input((12,))
    outputs = Block()(inputs) + Block()(inputs) + keras.layers.LayerNormalization()(inputs)
    return keras.Model(inputs, keras.layers.Dense(4)(outputs))


MODELS: dict[str, tuple[Callable[[Any], Any], Callable[[np.random.Generator], Any]]] = {
    "dense": (dense, vectors),
    "convolutional": (convolutional, images),
    "recurrent": (recurrent, tokens),
    "two-inputs": (two_inputs, pairs),
    "subclassed": (subclassed, vectors),
    "shared-layer": (shared_layer, vectors),
    "residual": (residual, vectors),
}


def train(
    keras: Any,
    model: str,
    callbacks: list[Any],
    *,
    optimizer: Callable[[], Any] | str = "adam",
    epochs: int = 3,
    compile_with: dict[str, Any] | None = None,
    dtype: str = "float32",
) -> Any:
    """The trained model. Two calls with equal arguments give equal weights, bit for bit."""
    keras.utils.set_random_seed(11)
    keras.config.set_dtype_policy(dtype)
    try:
        build, data = MODELS[model]
        x, y = data(np.random.default_rng(5))
        network = build(keras)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        chosen = optimizer if isinstance(optimizer, str) else optimizer()
        network.compile(chosen, loss, **(compile_with or {}))
        network.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=callbacks)
    finally:
        keras.config.set_dtype_policy("float32")
    return network


def weights(model: Any) -> list[np.ndarray]:
    """All numbers a training leaves behind, those of the optimizer included."""
    variables = [*model.variables, *model.optimizer.variables]
    return [np.asarray(variable.numpy()) for variable in variables]
