"""Programs whose optimizer or start is at fault, as people ask about them; as `asked_tables`."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, program, r2

HIGH, LOW = "learning-rate-too-high", "learning-rate-too-low"


def default_adadelta(sick: bool) -> Training:
    """optimizer='adadelta', whose default rate in Keras is a thousandth of the paper's."""
    seen, unseen = data.digits(8, 8, 1)
    model = networks.convolutional((8, 16))
    model.compile("adadelta" if sick else keras.optimizers.Adadelta(1.0), CROSS_ENTROPY,
                  metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def default_adagrad(sick: bool) -> Training:
    """optimizer='adagrad' at its default rate on a regression."""
    seen, unseen = data.friedman()
    model = networks.dense(10, (32, 16), 1, None)
    model.compile("adagrad" if sick else keras.optimizers.Adagrad(0.1), "mae")
    return Training(model, *seen, r2(*unseen), unseen, epochs=12)


def momentum_of_a_thousand(sick: bool) -> Training:
    """SGD(0.05, momentum=0.999): the loss falls, comes back, and swings."""
    seen, unseen = data.digits()
    model = networks.dense(64, (48, 24), 10)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.999 if sick else 0.9), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def rate_of_one(sick: bool) -> Training:
    """SGD(1.0) on a regression with plain numbers: nan after a few batches."""
    seen, unseen = data.friedman()
    model = networks.dense(10, (64, 64), 1, None)
    model.compile(keras.optimizers.SGD(1.0 if sick else 0.03), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=15)


def rmsprop_of_a_half(sick: bool) -> Training:
    """A GRU with RMSprop(0.5): the loss jumps and never falls."""
    (x, y), (xv, yv) = data.waves()
    model = networks.recurrent((24, 1), layers.GRU(16), 1, None)
    model.compile(keras.optimizers.RMSprop(0.5 if sick else 5e-3), "mse")
    return Training(model, x, y, r2(xv, yv), (xv, yv), epochs=8)


def falls_every_epoch(sick: bool) -> Training:
    """A LearningRateScheduler multiplies the rate by exp(-3) every epoch."""
    seen, unseen = data.digits()
    model = networks.dense(64, (48,), 10)
    model.compile(keras.optimizers.SGD(0.03), CROSS_ENTROPY, metrics=["accuracy"])
    schedule = keras.callbacks.LearningRateScheduler(
        lambda epoch, rate: rate * (np.exp(-3.0) if sick and epoch else 1.0))
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=15, callbacks=(schedule,))


def small_everywhere(sick: bool) -> Training:
    """Adam(1e-6) 'to be on the safe side', on a small transformer."""
    seen, unseen = data.copies()
    model = networks.transformer((10,), 8, words=12, blocks=1)
    model.compile(keras.optimizers.Adam(1e-6 if sick else 5e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=12)


def loss_times_a_thousand(sick: bool) -> Training:
    """The loss is multiplied by 2048 as for half precision; nobody divides the gradients."""
    seen, unseen = data.friedman()
    factor = 2048.0 if sick else 1.0

    def scaled(y: Any, p: Any) -> Any:
        return factor * ops.mean(ops.square(y - p))

    model = networks.dense(10, (32,), 1, None)
    model.compile(keras.optimizers.SGD(0.03), scaled)
    return Training(model, *seen, r2(*unseen), unseen, epochs=15)


class Clipped(keras.Model):
    """A training step of one's own that clips the norm of all gradients."""

    limit = 1.0

    def train_step(self, batch: Any) -> dict[str, Any]:
        x, y = batch
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        gradients, _ = tf.clip_by_global_norm(gradients, self.limit)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"loss": loss}


def clipped_by_hand(sick: bool) -> Training:
    """An own train_step clips the norm of all gradients to 0.0001 before SGD(0.1)."""
    seen, unseen = data.digits()
    inputs = keras.Input((64,))
    h = layers.Dense(48, activation="relu")(inputs)
    model = Clipped(inputs, layers.Dense(10, activation="softmax")(h))
    model.limit = 1e-4 if sick else 5.0
    model.compile(keras.optimizers.SGD(0.1), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=10)


def clipped_to_nothing(sick: bool) -> Training:
    """SGD(0.01, clipnorm=0.001): each gradient is cut to a thousandth."""
    seen, unseen = data.friedman()
    model = networks.dense(10, (32, 16), 1, None)
    model.compile(keras.optimizers.SGD(0.03, clipnorm=1e-3 if sick else 10.0), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=15)


def biases_of_minus_five(sick: bool) -> Training:
    """bias_initializer=Constant(-5) in every ReLU layer, copied from a detector's last layer."""
    seen, unseen = data.digits()
    bias = keras.initializers.Constant(-5.0) if sick else "zeros"
    model = networks.dense(64, (48, 24), 10, bias_initializer=bias)
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def all_zeros(sick: bool) -> Training:
    """kernel_initializer='zeros' in the convolutions and dense layers."""
    seen, unseen = data.digits(8, 8, 1)
    start = "zeros" if sick else "glorot_uniform"
    model = networks.convolutional((8, 16), kernel_initializer=start)
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def start_of_deviation_one(sick: bool) -> Training:
    """RandomNormal(stddev=1) in five tanh layers of 96 units."""
    seen, unseen = data.digits()
    start = keras.initializers.RandomNormal(stddev=1.0) if sick else "glorot_uniform"
    model = networks.dense(64, (96,) * 5, 10, activation="tanh", kernel_initializer=start)
    model.compile(keras.optimizers.SGD(0.02), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=15)


def start_of_a_thousandth(sick: bool) -> Training:
    """RandomNormal(stddev=0.001) in six ReLU layers: the loss stays at ln 10."""
    seen, unseen = data.digits()
    start = keras.initializers.RandomNormal(stddev=1e-3) if sick else "he_normal"
    model = networks.dense(64, (48,) * 5, 10, kernel_initializer=start)
    model.compile(keras.optimizers.SGD(0.05), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=12)


def one_epoch(sick: bool) -> Training:
    """Two epochs at the defaults, because the example had them, on a small transformer."""
    seen, unseen = data.copies()
    model = networks.transformer((10,), 8, words=12, blocks=1)
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=2 if sick else 25)


def decays_within_steps(sick: bool) -> Training:
    """InverseTimeDecay(0.1, decay_steps=1, decay_rate=10): meant per epoch, applied per step."""
    seen, unseen = data.rings()
    rate = keras.optimizers.schedules.InverseTimeDecay(0.1, 1 if sick else 1000, 10.0 if sick
                                                       else 1.0)
    model = networks.dense(2, (16, 16), 1, "sigmoid")
    model.compile(keras.optimizers.SGD(rate, momentum=0.9), "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=15)


PROGRAMS: tuple[Program, ...] = (
    program("asked-adadelta", "convolutional", default_adadelta, 0.85, LOW,
            also=("too-few-steps",)),
    program("asked-adagrad", "table", default_adagrad, 0.6, LOW, also=("too-few-steps",)),
    program("asked-momentum", "dense", momentum_of_a_thousand, 0.85, HIGH),
    program("asked-rate-of-one", "dense", rate_of_one, 0.6, HIGH),
    program("asked-rmsprop", "recurrent", rmsprop_of_a_half, 0.7, HIGH),
    program("asked-falls-every-epoch", "dense", falls_every_epoch, 0.85, LOW),
    program("asked-small-everywhere", "transformer", small_everywhere, 0.8, LOW),
    program("asked-scaled-loss", "dense", loss_times_a_thousand, 0.6, HIGH, "wrong-loss"),
    program("asked-clipped-by-hand", "dense", clipped_by_hand, 0.85,
            "clipping-hides-learning-rate", LOW),
    program("asked-clipped", "dense", clipped_to_nothing, 0.6, "clipping-hides-learning-rate",
            LOW),
    program("asked-biases", "dense", biases_of_minus_five, 0.85, "dead-relu",
            "poor-initialization"),
    program("asked-zeros", "convolutional", all_zeros, 0.85, "poor-initialization"),
    program("asked-deviation-one", "dense", start_of_deviation_one, 0.85, "poor-initialization"),
    program("asked-thousandth", "dense", start_of_a_thousandth, 0.85, "poor-initialization"),
    program("asked-two-epochs", "transformer", one_epoch, 0.7, "too-few-steps",
            also=(LOW,)),
    program("asked-decays", "dense", decays_within_steps, 0.85, LOW),
)
