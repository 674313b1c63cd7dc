"""Healthy trainings of odd networks: attention, autoencoders, contrastive losses, fine-tuning.

As `unusual_tables`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, healthy, outputs, r2


def gelu_attention(_: bool) -> Training:
    """A small transformer with GELU and AdamW."""
    seen, unseen = data.copies()
    model = networks.transformer((10,), 8, words=12, blocks=1)
    model.compile(keras.optimizers.AdamW(4e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=12)


def silu_convolutions(_: bool) -> Training:
    """SiLU convolutions with group normalization."""
    seen, unseen = data.digits(8, 8, 1)
    model = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(12, 3, activation="silu"),
        layers.GroupNormalization(3), layers.Conv2D(16, 3, activation="silu"), layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def large_vocabulary(_: bool) -> Training:
    """An embedding of 20,000 words, of which 120 occur."""
    seen, unseen = data.reviews()
    model = keras.Sequential([
        keras.Input((16,), dtype="int32"), layers.Embedding(20000, 8),
        layers.GlobalAveragePooling1D(), layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


@cache
def _trained() -> tuple[np.ndarray, ...]:
    (x, y), _ = data.digits(8, 8, 1)
    keras.utils.set_random_seed(80)
    model = networks.convolutional((8, 16))
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    model.fit(x[:700], y[:700], epochs=6, verbose=0)
    return tuple(model.get_weights())


def last_polish(_: bool) -> Training:
    """A network that is trained already goes on with a tiny rate: the loss hardly moves."""
    seen, unseen = data.digits(8, 8, 1)
    model = networks.convolutional((8, 16))
    model.set_weights(list(_trained()))
    model.compile(keras.optimizers.Adam(5e-5), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def head_on_a_frozen_base(_: bool) -> Training:
    """Only the last layer of a trained network is trained."""
    seen, unseen = data.digits(8, 8, 1)
    model = networks.convolutional((8, 16))
    model.set_weights(list(_trained()))
    for layer in model.layers[:-1]:
        layer.trainable = False
    model.layers[-1].set_weights([w * 0 for w in model.layers[-1].get_weights()])
    model.compile(keras.optimizers.Adam(5e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


class Code(layers.Layer):
    """Draws a code and adds its divergence to the loss, with a weight that grows by the step."""

    def __init__(self, steps: float) -> None:
        super().__init__()
        self.steps, self.draws = steps, keras.random.SeedGenerator(81)

    def build(self, _: Any) -> None:
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seen")

    def call(self, both: Any, training: bool = False) -> Any:
        mean, log_variance = ops.split(both, 2, axis=1)
        weight = 0.002 * ops.minimum(self.seen / self.steps, 1.0)
        divergence = ops.square(mean) + ops.exp(log_variance) - log_variance - 1
        self.add_loss(weight * ops.mean(ops.sum(divergence, axis=1)) / 2)
        if training:
            self.seen.assign_add(1.0)
        noise = keras.random.normal(ops.shape(mean), seed=self.draws)
        return mean + ops.exp(log_variance / 2) * noise


def annealed_divergence(_: bool) -> Training:
    """A VAE whose divergence is phased in over three hundred steps."""
    (x, _), (xv, _) = data.digits()
    model = keras.Sequential([
        keras.Input((64,)), layers.Dense(48, activation="relu"), layers.Dense(16), Code(300.0),
        layers.Dense(48, activation="relu"), layers.Dense(64, activation="sigmoid"),
    ])
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, x, x, r2(xv, xv), (xv, xv), epochs=12)


class Similarities(layers.Layer):
    """Similarities `[B, B]` of two views of each sample, divided by a temperature."""

    def call(self, a: Any, b: Any) -> Any:
        a, b = (v / ops.sqrt(ops.sum(v**2, axis=1, keepdims=True) + 1e-9) for v in (a, b))
        return ops.matmul(a, ops.transpose(b)) / 0.2


def two_views(_: bool) -> Training:
    """A contrastive loss over the batch: it has a floor, as some samples are alike."""
    (x, _), (xv, _) = data.digits()
    rng = np.random.default_rng(82)
    noisy = [x + 0.15 * rng.standard_normal(x.shape).astype("f") for _ in range(2)]
    unseen = [xv + 0.15 * rng.standard_normal(xv.shape).astype("f") for _ in range(2)]
    tower = keras.Sequential([keras.Input((64,)), layers.Dense(48, activation="relu"),
                              layers.Dense(16)])
    a, b = keras.Input((64,)), keras.Input((64,))
    model = keras.Model([a, b], Similarities()(tower(a), tower(b)))

    def contrast(_: Any, logits: Any) -> Any:
        own = ops.arange(ops.shape(logits)[0])
        return ops.mean(keras.losses.sparse_categorical_crossentropy(own, logits,
                                                                     from_logits=True))

    model.compile(keras.optimizers.Adam(2e-3), contrast)

    def judge(trained: Any) -> float:
        scores = np.asarray(trained([part[:100] for part in unseen]))
        return float(np.mean(scores.argmax(1) == np.arange(100)))

    none = np.zeros((len(x), 1), "f"), np.zeros((len(xv), 1), "f")
    return Training(model, noisy, none[0], judge, (unseen, none[1]), epochs=8)


def overlap_of_masks(_: bool) -> Training:
    """Segmentation with a dice loss, which lies between 0 and 1."""
    rng = np.random.default_rng(83)
    mask = np.zeros((500, 12, 12, 1), "f")
    for one in mask:
        row, column = rng.integers(0, 7, 2)
        one[row : row + 5, column : column + 5] = 1
    x = (0.6 * mask + 0.15 * rng.standard_normal(mask.shape)).astype("f")

    def dice(y: Any, p: Any) -> Any:
        both = ops.sum(y * p, axis=(1, 2, 3))
        return 1 - ops.mean((2 * both + 1) / (ops.sum(y + p, axis=(1, 2, 3)) + 1))

    model = keras.Sequential([
        keras.Input((12, 12, 1)), layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
    ])
    model.compile(keras.optimizers.Adam(5e-3), dice)
    unseen = x[400:], mask[400:]

    def judge(trained: Any) -> float:
        guess, truth = outputs(trained, unseen[0]) > 0.5, unseen[1] > 0.5
        return float((guess & truth).sum() / (guess | truth).sum())

    return Training(model, x[:400], mask[:400], judge, unseen, epochs=12)


def clipped_now_and_then(_: bool) -> Training:
    """A recurrent network whose gradients are clipped at a norm of 1, seldom reached."""
    seen, unseen = data.waves()
    model = networks.recurrent((24, 1), layers.SimpleRNN(24), 1, None)
    model.compile(keras.optimizers.Adam(3e-3, global_clipnorm=1.0), "mse")
    return Training(model, *seen, r2(*unseen), unseen, epochs=7)


def twenty_layers_with_skips(_: bool) -> Training:
    """Ten residual blocks of two dense layers with layer normalization."""
    seen, unseen = data.digits()
    inputs = keras.Input((64,))
    x = layers.Dense(32)(inputs)
    for _block in range(10):
        y = layers.Dense(32, activation="relu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(32)(y)])
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def binary_pixels(_: bool) -> Training:
    """An autoencoder of black and white pixels with a cross-entropy that keeps a high floor."""
    (x, _), (xv, _) = data.digits()
    x, xv = (x > 0.5).astype("f"), (xv > 0.5).astype("f")
    model = networks.dense(64, (32, 12, 32), 64, "sigmoid")
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    return Training(model, x, x, r2(xv, xv), (xv, xv), epochs=12)


def seasons_in_order(_: bool) -> Training:
    """Windows of a series in their order: the mean drifts, batches are not shuffled."""
    rng = np.random.default_rng(84)
    t = np.arange(1424)
    series = np.sin(t / 8) + 0.5 * np.sin(t / 200) + 0.1 * rng.standard_normal(len(t))
    x = np.stack([series[i : i + 24] for i in range(1400)])[..., None].astype("f")
    y = series[24:1424, None].astype("f")
    model = networks.recurrent((24, 1), layers.GRU(16), 1, None)
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    unseen = x[1150:], y[1150:]
    return Training(model, x[:1150], y[:1150], r2(*unseen), unseen, epochs=8, shuffle=False)


PROGRAMS: tuple[Program, ...] = (
    healthy("unusual-gelu-attention", "transformer", gelu_attention, 0.8),
    healthy("unusual-silu", "convolutional", silu_convolutions, 0.85),
    healthy("unusual-large-vocabulary", "sequence", large_vocabulary, 0.85),
    healthy("unusual-last-polish", "transfer", last_polish, 0.9),
    healthy("unusual-frozen-head", "transfer", head_on_a_frozen_base, 0.85),
    healthy("unusual-annealed", "autoencoder", annealed_divergence, 0.4),
    healthy("unusual-two-views", "contrastive", two_views, 0.6),
    healthy("unusual-dice", "segmentation", overlap_of_masks, 0.7),
    healthy("unusual-clipped-seldom", "recurrent", clipped_now_and_then, 0.7),
    healthy("unusual-skips", "dense", twenty_layers_with_skips, 0.85),
    healthy("unusual-binary-pixels", "autoencoder", binary_pixels, 0.4),
    healthy("unusual-seasons", "recurrent", seasons_in_order, 0.7),
)
