"""Faults of the optimizer: rates, clipping, direction, and when it was stopped."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, r2


def rate_high_dense(sick: bool) -> Training:
    """SGD with momentum at 1.0 where 0.05 trains."""
    seen, unseen = data.digits()
    model = networks.dense(64, (64, 32), 10)
    model.compile(keras.optimizers.SGD(1.0 if sick else 0.05, momentum=0.9), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def rate_high_convolutional(sick: bool) -> Training:
    """Adam at 0.1 where 0.001 trains."""
    seen, unseen = data.digits(8, 8, 1)
    model = networks.convolutional()
    model.compile(keras.optimizers.Adam(0.1 if sick else 0.001), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=5)


def rate_high_recurrent(sick: bool) -> Training:
    """RMSprop at 0.5 on an LSTM that trains at 0.005."""
    seen, unseen = data.digits(8, 8)
    model = networks.recurrent((8, 8), layers.LSTM(24), 10)
    model.compile(keras.optimizers.RMSprop(0.5 if sick else 0.005), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def rate_high_transformer(sick: bool) -> Training:
    """Adam at 0.5 on a transformer that trains at 0.003."""
    seen, unseen = data.digits(8, 8)
    model = networks.transformer((8, 8), 10)
    model.compile(keras.optimizers.Adam(0.5 if sick else 0.003), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def rate_high_regression(sick: bool) -> Training:
    """SGD at 0.5 on a regression: the loss is NaN within a few steps; 0.02 trains."""
    seen, unseen = data.friedman()
    model = networks.dense(10, (64, 64), 1, None)
    model.compile(keras.optimizers.SGD(0.8 if sick else 0.02), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=8, batch_size=16)


def rate_low_dense(sick: bool) -> Training:
    """Adam at 1e-6 where 1e-3 trains."""
    seen, unseen = data.digits()
    model = networks.dense(64, (64, 32), 10)
    model.compile(keras.optimizers.Adam(1e-6 if sick else 1e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def rate_low_convolutional(sick: bool) -> Training:
    """SGD with momentum at 1e-5 where 0.02 trains."""
    seen, unseen = data.digits(8, 8, 1)
    model = networks.convolutional()
    model.compile(keras.optimizers.SGD(1e-5 if sick else 0.02, momentum=0.9), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def rate_low_recurrent(sick: bool) -> Training:
    """Adam at 3e-6 on a GRU that trains at 5e-3."""
    seen, unseen = data.waves()
    model = networks.recurrent((24, 1), layers.GRU(16), 1, None)
    model.compile(keras.optimizers.Adam(3e-6 if sick else 5e-3), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=8)


def rate_low_transformer(sick: bool) -> Training:
    """Adam at 1e-6 on a transformer that trains at 3e-3."""
    seen, unseen = data.digits(8, 8)
    model = networks.transformer((8, 8), 10)
    model.compile(keras.optimizers.Adam(1e-6 if sick else 3e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def clipped_dense(sick: bool) -> Training:
    """Every gradient is clipped to a norm of 0.001, so that a rate of 0.5 looks safe."""
    seen, unseen = data.digits()
    model = networks.dense(64, (64, 32), 10)
    rule = keras.optimizers.SGD(0.5, global_clipnorm=0.001 if sick else 10.0)
    model.compile(rule, CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def clipped_convolutional(sick: bool) -> Training:
    """Every entry is clipped to 1e-5; the twin clips outliers, at 1."""
    seen, unseen = data.digits(8, 8, 1)
    model = networks.convolutional()
    rule = keras.optimizers.SGD(0.1, momentum=0.9, clipvalue=1e-5 if sick else 1.0)
    model.compile(rule, CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def clipped_recurrent(sick: bool) -> Training:
    """Each variable's gradient is clipped to a norm of 1e-4; the twin's to 1."""
    seen, unseen = data.waves()
    model = networks.recurrent((24, 1), layers.SimpleRNN(16), 1, None)
    model.compile(keras.optimizers.SGD(0.1, clipnorm=1e-4 if sick else 1.0), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=10)


class Uphill(keras.optimizers.Adam):
    """Adam with the sign of a custom step turned round."""

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        """Apply the negated gradients."""
        return super().apply([-g for g in grads], trainable_variables)


def uphill_dense(sick: bool) -> Training:
    """The sign of the gradients is flipped."""
    seen, unseen = data.friedman()
    model = networks.dense(10, (32, 32), 1, None)
    model.compile(Uphill(1e-3) if sick else keras.optimizers.Adam(1e-3), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=10)


def uphill_recurrent(sick: bool) -> Training:
    """A score that is to be maximized is passed as the loss: the likelihood, not its negative."""
    seen, unseen = data.digits(8, 8)
    model = networks.recurrent((8, 8), layers.GRU(24), 10)

    def likelihood(y: Any, p: Any) -> Any:
        return -keras.losses.sparse_categorical_crossentropy(y, p)

    model.compile(keras.optimizers.Adam(3e-3), likelihood if sick else CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def crawling_transformer(sick: bool) -> Training:
    """Plain SGD at 0.01 crawls on an embedding with attention, where Adam trains."""
    seen, unseen = data.copies()
    model = networks.transformer((10,), 8, words=12)
    model.compile(keras.optimizers.SGD(0.01) if sick else keras.optimizers.Adam(3e-3),
                  CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=14)


def epsilon_convolutional(sick: bool) -> Training:
    """Adam's epsilon of 10 swallows every gradient."""
    seen, unseen = data.digits(8, 8, 1)
    model = networks.convolutional()
    model.compile(keras.optimizers.Adam(1e-3, epsilon=10.0 if sick else 1e-7), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def short_dense(sick: bool) -> Training:
    """One epoch instead of twenty."""
    seen, unseen = data.digits()
    model = networks.dense(64, (64,), 10)
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=2 if sick else 30,
                    batch_size=64)


def short_convolutional(sick: bool) -> Training:
    """Two epochs of large batches instead of twelve."""
    seen, unseen = data.digits(8, 8, 1)
    model = networks.convolutional((8, 8))
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=3 if sick else 24,
                    batch_size=64)


def short_recurrent(sick: bool) -> Training:
    """Two epochs instead of fifteen."""
    seen, unseen = data.waves()
    model = networks.recurrent((24, 1), layers.LSTM(16), 1, None)
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=2 if sick else 20)


HIGH, LOW = ("learning-rate-too-high",), ("learning-rate-too-low",)
CLIPPED, MISMATCH = ("clipping-hides-learning-rate",), ("optimizer-mismatch",)
SHORT = ("too-few-steps",)

PROGRAMS = (
    Program("rate-high-dense", "dense", HIGH, rate_high_dense, 0.93),
    Program("rate-high-convolutional", "convolutional", HIGH, rate_high_convolutional, 0.93),
    Program("rate-high-recurrent", "recurrent", HIGH, rate_high_recurrent, 0.85),
    Program("rate-high-transformer", "transformer", HIGH, rate_high_transformer, 0.9),
    Program("rate-high-regression", "dense", HIGH, rate_high_regression, 0.8),
    Program("rate-low-dense", "dense", LOW, rate_low_dense, 0.9),
    Program("rate-low-convolutional", "convolutional", LOW, rate_low_convolutional, 0.9),
    Program("rate-low-recurrent", "recurrent", LOW, rate_low_recurrent, 0.9),
    Program("rate-low-transformer", "transformer", LOW, rate_low_transformer, 0.9),
    Program("clipped-dense", "dense", CLIPPED, clipped_dense, 0.9, also=LOW),
    Program("clipped-convolutional", "convolutional", CLIPPED, clipped_convolutional, 0.9,
            also=LOW),
    Program("clipped-recurrent", "recurrent", CLIPPED, clipped_recurrent, 0.8, also=LOW),
    Program("uphill-dense", "dense", MISMATCH, uphill_dense, 0.7),
    Program("uphill-recurrent", "recurrent", MISMATCH, uphill_recurrent, 0.9),
    Program("crawling-transformer", "transformer", MISMATCH, crawling_transformer, 0.8,
            also=(*LOW, *SHORT)),
    Program("epsilon-convolutional", "convolutional", MISMATCH, epsilon_convolutional, 0.9,
            also=LOW),
    Program("short-dense", "dense", SHORT, short_dense, 0.93),
    Program("short-convolutional", "convolutional", SHORT, short_convolutional, 0.93),
    Program("short-recurrent", "recurrent", SHORT, short_recurrent, 0.9),
)
