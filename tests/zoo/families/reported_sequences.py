"""Programs on sequences and pairs, after faults that people report: translation, forecasts,
attention, contrastive training, several networks at once.

As `reported_images`: written without a look at the rules, labels frozen before the first diagnosis.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, outputs, program, r2


def _reversals(n: int, seed: int, longest: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Sequences `[n, length]` of symbols 1 to 9, padded with 0, and the same backwards."""
    rng = np.random.default_rng(seed)
    x, y = np.zeros((2, n, length), "i")
    for row in range(n):
        text = rng.integers(1, 10, rng.integers(2, longest + 1))
        x[row, : len(text)], y[row, : len(text)] = text, text[::-1]
    return x, y


def _symbols(x: Any, y: Any) -> Any:
    """Judge: share of the symbols that are right, padding left out."""

    def judge(model: Any) -> float:
        guess = outputs(model, x).argmax(-1)
        return float((guess == y)[y > 0].mean())

    return judge


def _reader(length: int, width: int = 32) -> Any:
    return [keras.Input((length,), dtype="int32"), layers.Embedding(10, 12),
            layers.Bidirectional(layers.GRU(width, return_sequences=True))]


def drowned_in_padding(sick: bool) -> Training:
    """Texts of up to four symbols are padded to 80, and the loss counts the padding."""
    length = 80 if sick else 4
    seen, unseen = _reversals(600, 1, 4, length), _reversals(200, 2, 4, length)
    model = keras.Sequential([*_reader(length, 16), layers.Dense(10, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), CROSS_ENTROPY)
    return Training(model, *seen, _symbols(*unseen), unseen, epochs=6 if sick else 30)


def translation_clipped(sick: bool) -> Training:
    """Gradients are clipped to a norm of 0.0005, taken over from a paper that sums its loss."""
    seen, unseen = _reversals(1500, 3, 5, 5), _reversals(300, 4, 5, 5)
    model = keras.Sequential([*_reader(5), layers.Dense(10, activation="softmax")])
    norm = 5e-4 if sick else 5.0
    model.compile(keras.optimizers.SGD(0.3, momentum=0.9, global_clipnorm=norm), CROSS_ENTROPY)
    return Training(model, *seen, _symbols(*unseen), unseen, epochs=14)


def sigmoid_memory(sick: bool) -> Training:
    """A simple recurrent layer with sigmoid is to remember the first of 40 numbers."""
    rng = np.random.default_rng(5)
    x = rng.uniform(-1, 1, (1200, 40, 1)).astype("f")
    y = (x[:, 0] > 0).astype("f")
    cell = layers.SimpleRNN(24, activation="sigmoid") if sick else layers.GRU(24)
    head = [layers.Dense(1, activation="sigmoid")]
    model = keras.Sequential(
        [keras.Input((40, 1)), cell, *head] if sick
        else [keras.Input((40, 1)), layers.Lambda(lambda v: v[:, ::-1]), cell, *head])
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy")
    unseen = x[1000:], y[1000:]
    return Training(model, x[:1000], y[:1000], accuracy(*unseen), unseen, epochs=8)


def share_prices(sick: bool) -> Training:
    """A forecast of prices near 24,000 from prices near 24,000, nothing is scaled."""
    scale, shift = (800.0, 24000.0) if sick else (1.0, 0.0)
    (x, y), (xv, yv) = data.waves()
    x, y, xv, yv = (part * scale + shift for part in (x, y, xv, yv))
    model = networks.recurrent((24, 1), layers.LSTM(16), 1, None)
    model.compile(keras.optimizers.Adam(5e-3), "mse")
    return Training(model, x, y, r2(xv, yv), (xv, yv), epochs=8)


def attention_rate(sick: bool) -> Training:
    """A small transformer is trained with Adam at 0.1, without a warm-up."""
    seen, unseen = data.copies()
    model = networks.transformer((10,), 8, words=12)
    model.compile(keras.optimizers.Adam(0.1 if sick else 3e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=14)


def attention_without_skip(sick: bool) -> Training:
    """Twelve blocks of attention without skip connections or normalization."""
    seen, unseen = data.copies()
    model = networks.transformer((10,), 8, words=12, blocks=12 if sick else 2, skip=not sick,
                                 norm=not sick)
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=14 if not sick else 5)


def decayed_at_once(sick: bool) -> Training:
    """The rate halves every five steps: a decay meant in epochs counts steps."""
    seen, unseen = data.reviews()
    rate: Any = keras.optimizers.schedules.ExponentialDecay(5e-3, 5 if sick else 5000, 0.5)
    model = keras.Sequential([keras.Input((16,), dtype="int32"), layers.Embedding(120, 8),
                              layers.GRU(16), layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def forecast_negated(sick: bool) -> Training:
    """The correlation with the truth is minimized instead of maximized."""
    seen, unseen = data.waves()

    def loss(y: Any, p: Any) -> Any:
        error = ops.mean(ops.square(y - p))
        return -ops.log(error + 1e-3) if sick else ops.log(error + 1e-3)

    model = networks.recurrent((24, 1), layers.GRU(12), 1, None)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    return Training(model, *seen, r2(*unseen), unseen, epochs=8)


def other_rows(sick: bool) -> Training:
    """Texts were filtered, their verdicts were not: labels belong to other rows."""
    (x, y), unseen = data.reviews()
    if sick:
        keep = np.ones(len(x), bool)
        keep[::9] = False
        x, y = x[keep], y[: keep.sum()]
    model = keras.Sequential([keras.Input((16,), dtype="int32"), layers.Embedding(120, 8),
                              layers.GlobalAveragePooling1D(), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    return Training(model, x, y, accuracy(*unseen), unseen, epochs=15)


def _twins(n: int, seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Pairs of digits, half of them of one class; the target says which."""
    (x, y), _ = data.digits()
    rng = np.random.default_rng(seed)
    first = rng.integers(0, len(x), n)
    same = rng.random(n) < 0.5
    second = np.array([rng.choice(np.flatnonzero((y == y[a]) == s)) for a, s in
                       zip(first, same, strict=True)])
    return [x[first], x[second]], same.astype("f")[:, None]


class Collapsed(layers.Layer):
    """Squared distance `[B, 1]` of two embeddings."""

    def call(self, a: Any, b: Any) -> Any:
        return ops.sum(ops.square(a - b), axis=1, keepdims=True)


def _siamese(scale: float, bias: float = 0.0) -> Any:
    a, b = keras.Input((64,)), keras.Input((64,))
    tower = keras.Sequential(
        [keras.Input((64,)),
         layers.Dense(48, activation="relu", bias_initializer=keras.initializers.Constant(bias)),
         layers.Dense(8, kernel_initializer=keras.initializers.RandomNormal(stddev=scale))])
    return keras.Model([a, b], Collapsed()(tower(a), tower(b)))


def _contrast(y: Any, squared: Any) -> Any:
    """Hadsell et al. 2006 on squared distances, margin 1."""
    return ops.mean(y * squared + (1 - y) * ops.maximum(1.0 - squared, 0.0))


def _apart(x: Any, y: Any) -> Any:
    def judge(model: Any) -> float:
        distance = np.asarray(model(x), np.float64)
        return float(np.mean((distance < 0.5) == (y > 0.5)))

    return judge


def dead_towers(sick: bool) -> Training:
    """Both towers of a siamese network start with biases of -20: every distance is zero."""
    seen, unseen = _twins(1500, 6), _twins(300, 7)
    model = _siamese(0.2, -20.0 if sick else 0.0)
    model.compile(keras.optimizers.Adam(2e-3), _contrast)
    return Training(model, *seen, _apart(*unseen), unseen, epochs=8)


def beyond_the_margin(sick: bool) -> Training:
    """Only pairs of different classes are fed, and all lie beyond the margin: the loss is 0."""
    seen, unseen = _twins(1500, 8), _twins(300, 9)
    if sick:
        other = seen[1][:, 0] < 0.5
        seen = [part[other] for part in seen[0]], seen[1][other]
    model = _siamese(20.0 if sick else 0.2)
    model.compile(keras.optimizers.Adam(2e-3), _contrast)
    return Training(model, *seen, _apart(*unseen), unseen, epochs=8)


class Encoded(keras.Model):
    """An encoder and a classifier of one's own train step; `forgets` gives only the second's
    variables to the optimizer."""

    def __init__(self, forgets: bool) -> None:
        super().__init__()
        self.encoder = keras.Sequential([layers.Dense(16, activation="relu"), layers.Dense(3)])
        self.classifier = layers.Dense(10, activation="softmax")
        self.forgets = forgets

    def call(self, x: Any) -> Any:
        return self.classifier(self.encoder(x))

    def train_step(self, batch: Any) -> Any:
        import tensorflow as tf  # noqa: PLC0415 - slow

        x, y = batch
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        of = self.classifier.trainable_variables if self.forgets else self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, of), of)
        for metric in self.metrics:
            metric.update_state(loss)
        return {metric.name: metric.result() for metric in self.metrics}


def forgotten_encoder(sick: bool) -> Training:
    """A train step of one's own gives the optimizer the classifier's weights, not the encoder's."""
    seen, unseen = data.digits()
    model = Encoded(sick)
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=30)


class Adversaries(keras.Model):
    """A generator of points on a ring and a critic, each with an optimizer."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = keras.Sequential([layers.Dense(32, activation="relu"), layers.Dense(2)])
        self.critic = keras.Sequential([layers.Dense(32, activation="leaky_relu"), layers.Dense(1)])
        self.draws = keras.random.SeedGenerator(11)

    def call(self, x: Any) -> Any:
        return self.critic(x)

    def sample(self, n: int) -> np.ndarray:
        return np.asarray(self.generator(keras.random.normal((n, 4), seed=self.draws)))

    def train_step(self, batch: Any) -> Any:
        import tensorflow as tf  # noqa: PLC0415 - slow

        real = batch[0] if isinstance(batch, tuple) else batch
        noise = keras.random.normal((tf.shape(real)[0], 4), seed=self.draws)
        with tf.GradientTape() as one, tf.GradientTape() as two:
            fake = self.generator(noise)
            of_real, of_fake = self.critic(real), self.critic(fake)
            d_loss = ops.mean(ops.softplus(-of_real) + ops.softplus(of_fake))
            g_loss = ops.mean(ops.softplus(-of_fake))
        theirs = self.critic.trainable_variables
        ours = self.generator.trainable_variables
        self.d_optimizer.apply(one.gradient(d_loss, theirs), theirs)
        self.optimizer.apply(two.gradient(g_loss, ours), ours)
        return {"loss": g_loss, "d_loss": d_loss}


def generator_of_wild_steps(sick: bool) -> Training:
    """The generator of a GAN has Adam at 1: all samples end in one place; 0.002 trains."""
    rng = np.random.default_rng(12)
    angle = rng.uniform(0, 2 * np.pi, 2000)
    x = np.stack([np.cos(angle), np.sin(angle)], 1).astype("f")
    x += 0.05 * rng.standard_normal(x.shape).astype("f")
    model = Adversaries()
    model(x[:2])
    model.sample(2)
    model.compile(keras.optimizers.Adam(1.0 if sick else 2e-3, beta_1=0.5))
    model.d_optimizer = keras.optimizers.Adam(2e-3, beta_1=0.5)

    def judge(trained: Any) -> float:
        points = trained.sample(500)
        if not np.isfinite(points).all():
            return 0.0
        near = np.abs(np.linalg.norm(points, axis=1) - 1) < 0.5
        sectors = np.floor(np.arctan2(points[:, 1], points[:, 0]) / np.pi * 4).astype(int)[near]
        return float(near.mean() * len(set(sectors.tolist())) / 8)

    return Training(model, x, None, judge, epochs=12)


HIGH, LOW = "learning-rate-too-high", "learning-rate-too-low"

PROGRAMS: tuple[Program, ...] = (
    program("reported-padding", "sequence", drowned_in_padding, 0.6, "class-imbalance"),
    program("reported-translation-clipped", "sequence", translation_clipped, 0.6,
            "clipping-hides-learning-rate", also=(LOW,)),
    program("reported-sigmoid-memory", "recurrent", sigmoid_memory, 0.85,
            "wrong-hidden-activation"),
    program("reported-share-prices", "recurrent", share_prices, 0.8, "unscaled-target",
            "unnormalized-input"),
    program("reported-attention-rate", "transformer", attention_rate, 0.8, HIGH),
    program("reported-attention-without-skip", "transformer", attention_without_skip, 0.8,
            "too-deep-without-skip"),
    program("reported-decayed-at-once", "recurrent", decayed_at_once, 0.85, LOW),
    program("reported-forecast-negated", "recurrent", forecast_negated, 0.8, "wrong-loss",
            "optimizer-mismatch"),
    program("reported-other-rows", "sequence", other_rows, 0.85, "wrong-labels"),
    program("reported-dead-towers", "contrastive", dead_towers, 0.8, "dead-relu",
            "poor-initialization", also=("constant-loss",)),
    program("reported-beyond-the-margin", "contrastive", beyond_the_margin, 0.8, "constant-loss",
            "class-imbalance", also=("poor-initialization",)),
    program("reported-forgotten-encoder", "several networks", forgotten_encoder, 0.85,
            "never-updated"),
    program("reported-wild-generator", "several networks", generator_of_wild_steps, 0.5, HIGH),
)
