"""Programs on images as people post them on forums: segmentation, autoencoders, tags, transfer.

The third held-out set. Its author had read the rules, wrote each program after a post of the kind
that forums are full of, and froze the labels before the first diagnosis; `zoo.first_contact` keeps
how the rules fared then.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np
from keras import layers, ops, regularizers

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, outputs, program, r2

HIGH, LOW = "learning-rate-too-high", "learning-rate-too-low"


def bytes_into_lenet(sick: bool) -> Training:
    """Pixels from 0 to 255 go into a LeNet with plain SGD; somebody forgot to divide."""
    seen, unseen = data.digits(8, 8, 1, scale=255.0 if sick else 1.0)
    model = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(6, 3, activation="tanh"), layers.AveragePooling2D(2),
        layers.Flatten(), layers.Dense(40, activation="tanh"), layers.Dense(10),
    ])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def _blobs(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images `[n, 12, 12, 1]` with one bright square, and its mask."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((n, 12, 12, 1), "f")
    for one in mask:
        row, column = rng.integers(0, 7, 2)
        one[row : row + 5, column : column + 5] = 1
    return (0.5 * mask + 0.15 * rng.standard_normal(mask.shape)).astype("f"), mask


def softmax_over_one_channel(sick: bool) -> Training:
    """The mask's last layer is Conv2D(1, 1, activation='softmax')."""
    seen, (xv, yv) = _blobs(400, 1), _blobs(100, 2)
    model = keras.Sequential([
        keras.Input((12, 12, 1)), layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.Conv2D(1, 1, activation="softmax" if sick else "sigmoid"),
    ])
    model.compile("adam", "binary_crossentropy")

    def judge(trained: Any) -> float:
        guess, truth = outputs(trained, xv) > 0.5, yv > 0.5
        return float((guess & truth).sum() / max(1, (guess | truth).sum()))

    return Training(model, *seen, judge, (xv, yv), epochs=10)


def bytes_out_of_a_sigmoid(sick: bool) -> Training:
    """An autoencoder is to give pixels from 0 to 255 out of a sigmoid."""
    (x, _), (xv, _) = data.digits()
    scale = 255.0 if sick else 1.0
    model = networks.dense(64, (48, 24, 48), 64, "sigmoid")
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, x, x * scale, r2(xv, xv * scale), (xv, xv * scale), epochs=12)


def decay_of_a_tenth(sick: bool) -> Training:
    """kernel_regularizer=l2(0.5) in every layer, copied from a post about weight decay."""
    seen, unseen = data.digits(8, 8, 1)
    model = networks.convolutional(
        kernel_regularizer=regularizers.L2(0.5 if sick else 1e-4))
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=5)


@cache
def _half_trained() -> tuple[np.ndarray, ...]:
    (x, y), _ = data.digits(8, 8, 1)
    keras.utils.set_random_seed(50)
    model = networks.convolutional((8, 16))
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    model.fit(x[:150], y[:150], epochs=8, verbose=0)
    return tuple(model.get_weights())


def fine_tuned_at_a_snail_s_pace(sick: bool) -> Training:
    """A network trained on another alphabet is fine-tuned with SGD(1e-6), as a blog advises."""
    (x, y), (xv, yv) = data.digits(8, 8, 1)
    model = networks.convolutional((8, 16))
    model.set_weights(list(_half_trained()))
    other = np.random.default_rng(51).permutation(10)  # the classes are numbered anew
    model.compile(keras.optimizers.SGD(1e-6 if sick else 0.05, momentum=0.9), CROSS_ENTROPY)
    unseen = xv, other[yv]
    return Training(model, x, other[y], accuracy(*unseen), unseen, epochs=6)


def _tags(sick_share: int = 3) -> tuple[Any, Any]:
    """Digits with three tags that may all hold: even, round, above four."""
    (x, y), (xv, yv) = data.digits()

    def of(labels: np.ndarray) -> np.ndarray:
        return np.stack([labels % 2 == 0, np.isin(labels, (0, 3, 6, 8, 9)), labels > 4], 1)

    return (x, of(y).astype("f")), (xv, of(yv).astype("f"))


def tags_share_a_softmax(sick: bool) -> Training:
    """Several tags per picture, with a softmax and categorical_crossentropy."""
    seen, (xv, yv) = _tags()
    model = networks.dense(64, (32,), 3, "softmax" if sick else "sigmoid")
    model.compile("adam", "categorical_crossentropy" if sick else "binary_crossentropy")

    def judge(trained: Any) -> float:
        return float(((outputs(trained, xv) > 0.5) == (yv > 0.5)).all(axis=1).mean())

    return Training(model, *seen, judge, (xv, yv), epochs=12)


def everything_dropped(sick: bool) -> Training:
    """Dropout(0.85) after each convolution, 'because it overfits'."""
    seen, unseen = data.digits(8, 8, 1)
    rate = 0.85 if sick else 0.1
    model = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(12, 3, activation="relu"), layers.Dropout(rate),
        layers.Conv2D(12, 3, activation="relu"), layers.Dropout(rate), layers.Flatten(),
        layers.Dense(24, activation="relu"), layers.Dropout(rate),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def momentum_of_ninety_nine(sick: bool) -> Training:
    """SGD(0.5, momentum=0.99), since more momentum is said to be faster."""
    seen, unseen = data.digits(8, 8, 1)
    model = networks.convolutional((8, 16))
    rate, momentum = (0.5, 0.99) if sick else (0.05, 0.9)
    model.compile(keras.optimizers.SGD(rate, momentum=momentum), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


class Climbs(keras.Sequential):
    """A train step of one's own that hands over the gradients with a minus sign."""

    sign = -1.0

    def train_step(self, batch: Any) -> Any:
        import tensorflow as tf  # noqa: PLC0415 - slow

        x, y = batch
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply([self.sign * g for g in gradients], self.trainable_variables)
        for metric in self.metrics:
            metric.update_state(loss)
        return {metric.name: metric.result() for metric in self.metrics}


def negated_gradients(sick: bool) -> Training:
    """A train step of one's own negates the gradients before it applies them."""
    seen, unseen = data.digits()
    model = Climbs([keras.Input((64,)), layers.Dense(32, activation="relu"),
                    layers.Dense(10, activation="softmax")])
    model.sign = -1.0 if sick else 1.0
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def sorted_file_names(sick: bool) -> Training:
    """Labels come from a file in another order than the images: each image has another's label."""
    (x, y), unseen = data.digits(8, 8, 1)
    if sick:
        y = np.roll(y, 37)
    model = networks.convolutional((12, 24))
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY)
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=7)


def _hands(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures `[n, 10, 10, 1]` of a hand of a clock between 0 and 180 degrees, and its angle."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 180, n)
    row, column = np.mgrid[:10, :10] - 4.5
    turn = np.deg2rad(angle)[:, None, None]
    off = np.abs(row * np.cos(turn) - column * np.sin(turn))
    ahead = row * np.sin(turn) + column * np.cos(turn) > -1
    return ((off < 1) & ahead).astype("f")[..., None], angle.astype("f")[:, None]


def angle_in_degrees(sick: bool) -> Training:
    """The angle of a hand is to be read in degrees, up to 180, with SGD; the twin scales it."""
    (x, y), (xv, yv) = _hands(800, 3), _hands(200, 4)
    scale, shift = (1.0, 0.0) if sick else (90.0, 90.0)
    model = keras.Sequential([
        keras.Input((10, 10, 1)), layers.Conv2D(12, 3, activation="relu"), layers.Flatten(),
        layers.Dense(32, activation="relu"), layers.Dense(1),
    ])
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    return Training(model, x, (y - shift) / scale, r2(xv, yv, scale, shift),
                    (xv, (yv - shift) / scale), epochs=10)


class Drawn(layers.Layer):
    """Draws from a normal and adds its divergence from the standard one, `weight` times."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight, self.draws = weight, keras.random.SeedGenerator(9)

    def call(self, both: Any) -> Any:
        mean, log_variance = ops.split(both, 2, axis=1)
        divergence = ops.square(mean) + ops.exp(log_variance) - log_variance - 1
        self.add_loss(self.weight * ops.mean(ops.sum(divergence, axis=1)) / 2)
        noise = keras.random.normal(ops.shape(mean), seed=self.draws)
        return mean + ops.exp(log_variance / 2) * noise


def beta_of_a_hundred(sick: bool) -> Training:
    """A beta-VAE with beta = 10 beside a mean over pixels: every picture comes out the same."""
    (x, _), (xv, _) = data.digits()
    model = keras.Sequential([
        keras.Input((64,)), layers.Dense(48, activation="relu"), layers.Dense(16),
        Drawn(10.0 if sick else 1e-3), layers.Dense(48, activation="relu"),
        layers.Dense(64, activation="sigmoid"),
    ])
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    return Training(model, x, x, r2(xv, xv), (xv, xv), epochs=12)


PROGRAMS: tuple[Program, ...] = (
    program("forum-bytes", "convolutional", bytes_into_lenet, 0.85, "unnormalized-input",
            also=(HIGH,)),
    program("forum-one-channel", "segmentation", softmax_over_one_channel, 0.6,
            "wrong-output-activation", also=("wrong-loss",)),
    program("forum-sigmoid-bytes", "autoencoder", bytes_out_of_a_sigmoid, 0.5,
            "wrong-output-activation", "unscaled-target"),
    program("forum-decay", "convolutional", decay_of_a_tenth, 0.85, "over-regularization"),
    program("forum-snail", "transfer", fine_tuned_at_a_snail_s_pace, 0.8, LOW),
    program("forum-tags", "dense", tags_share_a_softmax, 0.7, "wrong-output-activation",
            "wrong-loss"),
    program("forum-dropout", "convolutional", everything_dropped, 0.8, "over-regularization"),
    program("forum-momentum", "convolutional", momentum_of_ninety_nine, 0.85, HIGH),
    program("forum-climbs", "dense", negated_gradients, 0.85, "optimizer-mismatch",
            "wrong-loss", also=(HIGH,)),
    program("forum-file-names", "convolutional", sorted_file_names, 0.85, "wrong-labels"),
    program("forum-degrees", "convolutional", angle_in_degrees, 0.7, "unscaled-target",
            also=(HIGH,)),
    program("forum-beta", "autoencoder", beta_of_a_hundred, 0.4, "over-regularization"),
)
