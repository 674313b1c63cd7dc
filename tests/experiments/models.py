"""Models of every kind that people write, with what each kind keeps outside Keras' lists."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

FEATURES = 16
CLASSES = 4


def data(seed: int = 0, count: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Classes that a linear map of the features tells apart."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, FEATURES)).astype("float32")
    weights = np.random.default_rng(9).normal(size=(FEATURES, CLASSES))
    return x, (x @ weights).argmax(1).astype("int32")


class Noise(layers.Layer):
    """Draws from a seed generator of its own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.generator = keras.random.SeedGenerator(7)

    def call(self, x: Any, training: bool = False) -> Any:
        return x + 0.1 * keras.random.normal(ops.shape(x), seed=self.generator) if training else x


class GlobalNoise(layers.Layer):
    """Draws from Keras' global seed generator."""

    def call(self, x: Any, training: bool = False) -> Any:
        return x + 0.1 * keras.random.normal(ops.shape(x)) if training else x


class TensorFlowNoise(layers.Layer):
    """Draws with TensorFlow's own operation."""

    def call(self, x: Any, training: bool = False) -> Any:
        return x + 0.1 * tf.random.normal(tf.shape(x)) if training else x


class NoConfig(layers.Layer):
    """Cannot be cloned."""

    def __init__(self, units: int, activation: str) -> None:
        super().__init__()
        self.dense = layers.Dense(units, activation=activation)

    def call(self, x: Any) -> Any:
        return self.dense(x)


class Counting(layers.Layer):
    """Keeps a raw `tf.Variable`, which is in none of Keras' lists."""

    def build(self, shape: Any) -> None:
        self.count = tf.Variable(0.0, trainable=False)

    def call(self, x: Any, training: bool = False) -> Any:
        if training:
            self.count.assign_add(1.0)
        return x * (1 + 0.001 * self.count)


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.first = layers.Dense(24, activation="relu")
        self.norm = layers.BatchNormalization()
        self.drop = layers.Dropout(0.2)
        self.last = layers.Dense(CLASSES)

    def call(self, x: Any, training: bool = False) -> Any:
        hidden = self.norm(self.first(x), training=training)
        return self.last(self.drop(hidden, training=training))


class OwnStep(keras.Model):
    """Has its own train step and tracker."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.tracker = keras.metrics.Mean(name="total_loss")

    @property
    def metrics(self) -> list[Any]:
        return [self.tracker]

    def train_step(self, batch: Any) -> dict[str, Any]:
        x, y = batch
        with tf.GradientTape() as tape:
            loss = self.compute_loss(y=y, y_pred=self(x, training=True))
        self.optimizer.apply(
            tape.gradient(loss, self.trainable_variables), self.trainable_variables
        )
        self.tracker.update_state(loss)
        return {"total_loss": self.tracker.result()}


class TwoOptimizers(keras.Model):
    """Has optimizers of its own, for two parts, as adversarial networks do."""

    def __init__(self) -> None:
        super().__init__()
        self.first = layers.Dense(24, activation="relu")
        self.last = layers.Dense(CLASSES)
        self.first_optimizer = keras.optimizers.Adam(1e-2)
        self.last_optimizer = keras.optimizers.SGD(0.05, momentum=0.9)

    def call(self, x: Any) -> Any:
        return self.last(self.first(x))

    def train_step(self, batch: Any) -> dict[str, Any]:
        x, y = batch
        with tf.GradientTape(persistent=True) as tape:
            predicted = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=predicted)
        for part, optimizer in ((self.first, self.first_optimizer),
                                (self.last, self.last_optimizer)):
            variables = part.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return {**self.compute_metrics(x, y, predicted), "loss": loss}


def sequential() -> Any:
    return keras.Sequential([
        keras.Input((FEATURES,)), layers.Dense(24, activation="relu"), layers.BatchNormalization(),
        layers.Dropout(0.3), layers.Dense(CLASSES),
    ])


def functional() -> Any:
    x = keras.Input((FEATURES,))
    hidden = Noise()(layers.Dense(24, activation="relu")(x))
    return keras.Model(x, layers.Dense(CLASSES)(layers.Add()([hidden, layers.Dense(24)(hidden)])))


def nested() -> Any:
    inner = keras.Sequential([
        keras.Input((FEATURES,)), layers.Dense(24, activation="relu"), layers.BatchNormalization(),
    ])
    x = keras.Input((FEATURES,))
    joined = layers.Concatenate()([inner(x), functional()(x)])
    return keras.Model(x, layers.Dense(CLASSES)(joined))


def shared() -> Any:
    x = keras.Input((FEATURES,))
    dense = layers.Dense(FEATURES, activation="relu")
    return keras.Model(x, layers.Dense(CLASSES)(dense(dense(x))))


def without_config() -> Any:
    return keras.Sequential([
        keras.Input((FEATURES,)), NoConfig(24, "relu"), layers.Dense(CLASSES)
    ])


def own_step() -> Any:
    x = keras.Input((FEATURES,))
    hidden = layers.Dropout(0.2)(layers.Dense(24, activation="relu")(x))
    return OwnStep(x, layers.Dense(CLASSES)(hidden))


def raw_variable() -> Any:
    return keras.Sequential([keras.Input((FEATURES,)), Counting(), layers.Dense(CLASSES)])


def global_generator() -> Any:
    return keras.Sequential([keras.Input((FEATURES,)), GlobalNoise(), layers.Dense(CLASSES)])


def tensorflow_operation() -> Any:
    return keras.Sequential([keras.Input((FEATURES,)), TensorFlowNoise(), layers.Dense(CLASSES)])


def stateful() -> Any:
    x = keras.Input((FEATURES,), batch_size=32)
    steps = layers.Reshape((4, FEATURES // 4))(x)
    return keras.Model(x, layers.Dense(CLASSES)(layers.LSTM(8, stateful=True)(steps)))


def unbuilt() -> Any:
    return keras.Sequential([layers.Dense(24, activation="relu"), layers.Dense(CLASSES)])


MODELS = {
    function.__name__: function
    for function in (
        sequential, functional, nested, shared, without_config, Subclassed, own_step, raw_variable,
        global_generator, tensorflow_operation, stateful, unbuilt, TwoOptimizers,
    )
}

OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(1e-2),
    "averaged": lambda: keras.optimizers.SGD(
        0.05, momentum=0.9, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=10),
    "scheduled": lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.ExponentialDecay(1e-2, 10, 0.9)),
    "accumulating": lambda: keras.optimizers.SGD(0.05, gradient_accumulation_steps=3),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.05), dynamic_growth_steps=4),
}


def compiled(kind: str, optimizer: str = "adam", seed: int = 3) -> Any:
    """A compiled model of a kind, from the same seed each time."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    tf.random.set_global_generator(tf.random.Generator.from_seed(5))
    model = MODELS[kind]()
    model.compile(
        OPTIMIZERS[optimizer](), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model


def future(model: Any) -> list[np.ndarray]:
    """What comes of a model that trains on, and of every generator: equal if all state is."""
    x, y = data(1)
    history = model.fit(x, y, batch_size=32, verbose=0, shuffle=True).history
    found = [np.array(keras.ops.convert_to_numpy(v)) for v in model.variables]
    found += [np.array(keras.ops.convert_to_numpy(v)) for v in model.optimizer.variables]
    found += [np.array(keras.ops.convert_to_numpy(v)) for one in vars(model).values()
              if isinstance(one, keras.optimizers.Optimizer) for v in one.variables]
    found += [np.array(history[name]) for name in sorted(history)]
    found += [
        np.asarray(keras.random.normal((3,))), np.random.rand(3),
        np.asarray(tf.random.get_global_generator().normal((2,))),
    ]
    return [*found, np.array([layers.Dense(2).name])]
