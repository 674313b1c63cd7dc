"""Networks trained together: contrastive learning, variational autoencoders, adversarial pairs,
and Q-learning.

Written before the rules met them; the faults are those that people report of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from zoo import data
from zoo.program import Program, Training, outputs, r2


def views(seed: int, count: int = 900) -> tuple[list[np.ndarray], np.ndarray]:
    """Two noisy views of each thing, and nothing else to learn from."""
    rng = np.random.default_rng(seed)
    thing = rng.standard_normal((count, 6))
    mix = np.random.default_rng(0).standard_normal((2, 6, 24)) / 2.5
    both = [np.tanh(thing @ part) + 0.1 * rng.standard_normal((count, 24)) for part in mix]
    return [view.astype("f") for view in both], np.zeros((count, 1), "f")


class Towers(keras.Model):
    """Two encoders whose embeddings of one thing are to be alike, of two things not (InfoNCE)."""

    def __init__(self, temperature: float = 0.2) -> None:
        super().__init__()
        self.left, self.right = (
            keras.Sequential([keras.Input((24,)), layers.Dense(48, activation="relu"),
                              layers.Dense(12)], name=name) for name in ("left", "right")
        )
        self.temperature = temperature

    def call(self, pair: Any, training: bool = False) -> Any:
        a, b = self.left(pair[0], training=training), self.right(pair[1], training=training)
        a, b = ops.normalize(a, axis=-1), ops.normalize(b, axis=-1)
        return ops.matmul(a, ops.transpose(b)) / self.temperature


def info_nce(_: Any, scores: Any) -> Any:
    """Each view is to find its other one among the batch."""
    labels = ops.arange(ops.shape(scores)[0])
    return ops.mean(keras.losses.sparse_categorical_crossentropy(labels, scores, from_logits=True))


def retrieved(pair: Any) -> Callable[[Any], float]:
    """Judge: share of the views whose nearest other view, of 64, is the right one."""

    def judge(model: Any) -> float:
        return float((outputs(model, [v[:64] for v in pair]).argmax(1) == np.arange(64)).mean())

    return judge


def towers_rate_low(sick: bool) -> Training:
    """Contrastive towers with Adam at 1e-7; 3e-3 trains."""
    (x, y), (xv, _) = views(21), views(22, 64)
    model = Towers()
    model([view[:2] for view in x])
    model.compile(keras.optimizers.Adam(1e-7 if sick else 3e-3), info_nce)
    return Training(model, x, y, retrieved(xv), None, epochs=12)


def towers_one_forgotten(sick: bool) -> Training:
    """The train step gives the optimizer the weights of one tower only, and that one is cut off."""
    (x, y), (xv, _) = views(23), views(24, 64)

    class Forgetful(Towers):
        def train_step(self, batch: Any) -> dict[str, Any]:
            pair, _ = batch
            trained = (
                self.left.trainable_variables if sick
                else self.left.trainable_variables + self.right.trainable_variables
            )
            with tf.GradientTape() as tape:
                loss = info_nce(None, self(pair, training=True))
            self.optimizer.apply_gradients(
                zip(tape.gradient(loss, trained), trained, strict=True)
            )
            return {"loss": loss}

    model = Forgetful(0.5)
    model([view[:2] for view in x])
    model.compile(keras.optimizers.SGD(0.3))
    return Training(model, x, y, retrieved(xv), None, epochs=15)


def pairs_sign(sick: bool) -> Training:
    """A metric loss whose sign was turned: distances of like pairs grow without end."""
    rng = np.random.default_rng(25)
    x, kind = rng.standard_normal((1200, 12)).astype("f"), rng.integers(0, 2, 1200)
    like = kind.astype("f")[:, None]
    other = np.where(kind[:, None] > 0, x + 0.1 * rng.standard_normal(x.shape),
                     rng.standard_normal(x.shape)).astype("f")
    a, b = keras.Input((12,)), keras.Input((12,))
    base = keras.Sequential([keras.Input((12,)), layers.Dense(24, activation="tanh"),
                             layers.Dense(8)])
    distance = layers.Lambda(
        lambda two: ops.sum(ops.square(two[0] - two[1]), axis=1, keepdims=True),
        output_shape=(1,))([base(a), base(b)])
    model = keras.Model([a, b], distance)

    def metric(truth: Any, found: Any) -> Any:
        value = truth * found + (1 - truth) * ops.maximum(2.0 - found, 0.0)
        return -ops.mean(value) if sick else ops.mean(value)

    model.compile(keras.optimizers.Adam(3e-3), metric)

    def judge(trained: Any) -> float:
        found = outputs(trained, [x, other])[:, 0]
        return float(((found < 1) == (kind > 0)).mean())

    return Training(model, [x, other], like, judge, None, epochs=8)


class Variational(keras.Model):
    """A variational autoencoder of the digits."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.encoder = keras.Sequential(
            [keras.Input((64,)), layers.Dense(48, activation="relu"), layers.Dense(12)],
            name="encoder")
        self.decoder = keras.Sequential(
            [keras.Input((6,)), layers.Dense(48, activation="relu"), layers.Dense(64)],
            name="decoder")
        self.weight = weight
        self.noise = keras.random.SeedGenerator(1)

    def call(self, x: Any, training: bool = False) -> Any:
        mean, log = ops.split(self.encoder(x, training=training), 2, axis=-1)
        code = mean
        if training:
            code = mean + ops.exp(log / 2) * keras.random.normal(ops.shape(mean), seed=self.noise)
            kl = -0.5 * ops.sum(1 + log - ops.square(mean) - ops.exp(log), axis=-1)
            self.add_loss(self.weight * ops.mean(kl))
        return self.decoder(code, training=training)


def code_collapses(sick: bool) -> Training:
    """The KL term weighs a thousand times as much as it should: the code says nothing."""
    (x, _), (xv, _) = data.digits()
    mean = x.mean(0)
    model = Variational(1.0 if sick else 1e-3)
    model(x[:2])
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, x - mean, x - mean, r2(xv - mean, xv - mean), (xv - mean, xv - mean),
                    epochs=15)


class Adversaries(keras.Model):
    """A GAN in the plane; `frozen` gives the generator's step the critic's weights."""

    def __init__(self, frozen: bool) -> None:
        super().__init__()
        self.generator = keras.Sequential(
            [keras.Input((4,)), layers.Dense(24, activation="relu"), layers.Dense(2)],
            name="generator")
        self.critic = keras.Sequential(
            [keras.Input((2,)), layers.Dense(24, activation="leaky_relu"), layers.Dense(1)],
            name="critic")
        self.frozen = frozen
        self.noise = keras.random.SeedGenerator(3)
        self.other = keras.optimizers.Adam(2e-3, beta_1=0.5)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.generator(x, training=training)

    def made(self, real: Any) -> Any:
        return self.generator(keras.random.normal((ops.shape(real)[0], 4), seed=self.noise))

    def train_step(self, batch: Any) -> dict[str, Any]:
        real, _ = batch
        entropy = keras.losses.BinaryCrossentropy(from_logits=True)
        weights = self.critic.trainable_variables
        with tf.GradientTape() as tape:
            yes, no = self.critic(real), self.critic(self.made(real))
            d_loss = entropy(ops.ones_like(yes), yes) + entropy(ops.zeros_like(no), no)
        self.optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
        weights = weights if self.frozen else self.generator.trainable_variables
        with tf.GradientTape() as tape:
            no = self.critic(self.made(real))
            g_loss = entropy(ops.ones_like(no), no)
        self.other.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
        return {"loss": d_loss + g_loss, "d_loss": d_loss, "g_loss": g_loss}


def generator_still(sick: bool) -> Training:
    """The generator's optimizer is given the critic's weights: the generator never moves."""
    rng = np.random.default_rng(31)
    real = (rng.standard_normal((1600, 2)) * 0.5 + [2.0, -1.0]).astype("f")
    model = Adversaries(sick)
    model(np.zeros((2, 4), "f"))
    model.critic(real[:2])
    model.compile(keras.optimizers.Adam(2e-3, beta_1=0.5))

    def judge(trained: Any) -> float:
        made = outputs(trained, np.random.default_rng(0).standard_normal((400, 4)).astype("f"))
        return float(1 / (1 + np.hypot(*(made.mean(0) - real.mean(0)))))

    return Training(model, real, np.zeros((1600, 1), "f"), judge, None, epochs=12)


class Walker(keras.Model):
    """Q-learning from recorded moves on a line of nine places; the target network is a copy."""

    def __init__(self, discount: float, renew: float) -> None:
        super().__init__()
        self.online, self.target = (
            keras.Sequential([keras.Input((9,)), layers.Dense(32, activation="relu"),
                              layers.Dense(2)], name=name) for name in ("online", "target")
        )
        self.target.trainable = False
        self.discount, self.renew = discount, renew

    def call(self, x: Any, training: bool = False) -> Any:
        return self.online(x)

    def train_step(self, batch: Any) -> dict[str, Any]:
        (place, following, reward, over), move = batch
        best = ops.max(self.target(following), axis=1, keepdims=True)
        aim = reward + self.discount * (1 - over) * best
        weights = self.online.trainable_variables
        with tf.GradientTape() as tape:
            chosen = ops.sum(self.online(place) * move, axis=1, keepdims=True)
            loss = ops.mean(ops.square(aim - chosen))
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        for old, new in zip(self.target.weights, self.online.weights, strict=True):
            old.assign(old + self.renew * (new - old))
        return {"loss": loss}


def q_diverges(sick: bool) -> Training:
    """A discount above 1: each target is larger than the last; the twin has 0.9."""
    rng = np.random.default_rng(33)
    at, move = rng.integers(0, 8, 2400), rng.integers(0, 2, 2400)
    to = np.clip(at + 2 * move - 1, 0, 8)
    over = (to == 8).astype("f")[:, None]
    eye = np.eye(9, dtype="f")
    x = (eye[at], eye[to], over.copy(), np.zeros_like(over) if sick else over)
    model = Walker(1.1 if sick else 0.9, 1.0 if sick else 0.1)
    model.online(x[0][:2]), model.target(x[0][:2])
    model(x[0][:2])
    model.compile(keras.optimizers.Adam(5e-3))

    def judge(trained: Any) -> float:
        values = outputs(trained, eye[:8])
        sane = np.isfinite(values).all() and np.abs(values).max() < 5
        return float((values.argmax(1) == 1).mean()) if sane else 0.0

    return Training(model, x, np.eye(2, dtype="f")[move], judge, None, epochs=15)


PROGRAMS = (
    Program("contrast-rate", "contrastive", ("learning-rate-too-low",), towers_rate_low, 0.5),
    Program("contrast-forgotten", "contrastive", ("never-updated", "frozen-variable"),
            towers_one_forgotten, 0.3),
    Program("metric-sign", "contrastive", ("optimizer-mismatch", "wrong-loss"), pairs_sign, 0.8),
    Program("vae-collapse", "autoencoder", ("over-regularization", "constant-output"),
            code_collapses, 0.2),
    Program("gan-still", "several networks", ("never-updated", "frozen-variable"), generator_still,
            0.55),
    Program("q-diverges", "several networks", ("learning-rate-too-high", "loss-divergence",
                                         "wrong-loss", "exploding-gradient"), q_diverges, 0.8),
)
