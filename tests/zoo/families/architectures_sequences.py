"""Segmentation, detection heads, and sequence to sequence.

Written before the rules met them; the faults are those that people report of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from zoo import data
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, outputs


def scenes(seed: int, radius: float = 3.0, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Noisy 16 x 16 images of one bright disc each, and the mask of the disc."""
    rng = np.random.default_rng(seed)
    grid = np.arange(16)
    center = rng.uniform(4, 12, (count, 2))
    distance = np.hypot(grid[:, None] - center[:, :1, None], grid - center[:, 1:, None])
    mask = (distance < radius).astype("f")[..., None]
    image = 0.25 + 0.5 * mask + 0.12 * rng.standard_normal(mask.shape)
    return np.clip(image, 0, 1).astype("f"), mask


def segmenter(output: str | None = "sigmoid") -> Any:
    """A U-Net of two levels."""
    inputs = keras.Input((16, 16, 1))
    fine = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    coarse = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.MaxPooling2D()(fine))
    up = layers.Concatenate()([fine, layers.UpSampling2D()(coarse)])
    merged = layers.Conv2D(8, 3, padding="same", activation="relu")(up)
    return keras.Model(inputs, layers.Conv2D(1, 1, activation=output)(merged))


def overlap(x: Any, mask: Any, level: float = 0.5) -> Callable[[Any], float]:
    """Judge: intersection over union of the predicted mask."""

    def judge(model: Any) -> float:
        guess, truth = outputs(model, x) > level, mask > 0.5
        return float((guess & truth).sum() / max(1, (guess | truth).sum()))

    return judge


def masks_raw(sick: bool) -> Training:
    """A U-Net on pixels from 0 to 255 with SGD; the twin divides by 255."""
    (x, y), (xv, yv) = scenes(1), scenes(2, count=100)
    scale = 255.0 if sick else 1.0
    model = segmenter()
    model.compile(keras.optimizers.SGD(0.3, momentum=0.9), "binary_crossentropy")
    return Training(model, x * scale, y, overlap(xv * scale, yv), (xv * scale, yv), epochs=14)


def masks_rare(sick: bool) -> Training:
    """Discs of one pixel in 256; the twin's fill a tenth of the image."""
    radius = 0.75 if sick else 3.0
    (x, y), (xv, yv) = scenes(3, radius), scenes(4, radius, 100)
    model = segmenter()
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "binary_crossentropy")
    return Training(model, x, y, overlap(xv, yv), (xv, yv), epochs=14)


def masks_cut(sick: bool) -> Training:
    """A ReLU before a loss of logits: half of them cannot be reached."""
    (x, y), (xv, yv) = scenes(5), scenes(6, count=100)
    model = segmenter("relu" if sick else None)
    model.compile(keras.optimizers.Adam(3e-3), keras.losses.BinaryCrossentropy(from_logits=True))
    return Training(model, x, y, overlap(xv, yv, 0.0), (xv, yv), epochs=10)


def boxes(sick: bool) -> Training:
    """A detection head whose boxes are in pixels of 640; the twin's in parts of the image."""
    (x, mask), (xv, maskv) = scenes(7), scenes(8, count=100)
    scale = 640.0 if sick else 1.0

    def targets(masks: np.ndarray) -> dict[str, np.ndarray]:
        grid = np.linspace(0, 1, 16)
        weight = masks[..., 0] / masks[..., 0].sum((1, 2), keepdims=True)
        row, column = (weight.sum(2) * grid).sum(1), (weight.sum(1) * grid).sum(1)
        side = (row + column > 1).astype("i")
        return {"box": (np.stack([row, column], 1) * scale).astype("f"), "kind": side}

    inputs = keras.Input((16, 16, 1))
    h = layers.Conv2D(8, 3, strides=2, activation="relu")(inputs)
    h = layers.Flatten()(layers.Conv2D(16, 3, strides=2, activation="relu")(h))
    h = layers.Dense(32, activation="relu")(h)
    model = keras.Model(inputs, {"box": layers.Dense(2, name="box")(h),
                                 "kind": layers.Dense(2, "softmax", name="kind")(h)})
    model.compile(keras.optimizers.Adam(2e-3), {"box": "mse", "kind": CROSS_ENTROPY})
    y, yv = targets(mask), targets(maskv)

    def judge(trained: Any) -> float:
        out = trained(xv, training=False)
        return float((np.asarray(out["kind"]).argmax(1) == yv["kind"]).mean())

    return Training(model, x, y, judge, (xv, yv), epochs=12)


def head_unweighted(sick: bool) -> Training:
    """Two outputs, one of which has a weight of zero in the loss."""
    (x, y), (xv, yv) = data.digits()
    inputs = keras.Input((64,))
    h = layers.Dense(48, activation="relu")(inputs)
    model = keras.Model(inputs, {"digit": layers.Dense(10, "softmax", name="digit")(h),
                                 "even": layers.Dense(1, "sigmoid", name="even")(h)})
    model.compile(keras.optimizers.Adam(3e-3),
                  {"digit": CROSS_ENTROPY, "even": "binary_crossentropy"},
                  loss_weights={"digit": 1.0, "even": 0.0 if sick else 1.0})

    def targets(digit: np.ndarray) -> dict[str, np.ndarray]:
        return {"digit": digit, "even": (digit % 2 == 0).astype("f")[:, None]}

    def judge(trained: Any) -> float:
        out = np.asarray(trained(xv, training=False)["even"])[:, 0]
        return float(((out > 0.5) == (yv % 2 == 0)).mean())

    return Training(model, x, targets(y), judge, (xv, targets(yv)), epochs=8)


def phrases(seed: int, count: int = 1200, length: int = 8) -> tuple[Any, Any]:
    """Sequences of 12 symbols, and the same reversed: what a decoder is to write."""
    rng = np.random.default_rng(seed)
    x = rng.integers(1, 13, (count, length)).astype("i")
    return x, x[:, ::-1].copy()


def translator(width: int = 48, symbols: int = 13, length: int = 8) -> Any:
    """An encoder, its last state repeated, and a decoder."""
    return keras.Sequential([
        keras.Input((length,), dtype="int32"), layers.Embedding(symbols, 16),
        layers.GRU(width), layers.RepeatVector(length), layers.GRU(width, return_sequences=True),
        layers.Dense(symbols, activation="softmax"),
    ])


def tokens(x: Any, y: Any) -> Callable[[Any], float]:
    """Judge: share of symbols, other than padding, that are right."""

    def judge(model: Any) -> float:
        out, real = outputs(model, x), y > 0
        if not np.isfinite(out).all():
            return 0.0
        return float((out.argmax(-1) == y)[real].mean())

    return judge


def reversal_rate(sick: bool) -> Training:
    """A sequence-to-sequence model with Adam at 1.0; 0.01 trains."""
    (x, y), (xv, yv) = phrases(11, length=4), phrases(12, 200, length=4)
    model = translator(length=4)
    model.compile(keras.optimizers.Adam(1.0 if sick else 0.01), CROSS_ENTROPY)
    return Training(model, x, y, tokens(xv, yv), (xv, yv), epochs=12)


def reversal_padded(sick: bool) -> Training:
    """Nineteen of twenty target symbols are padding that the loss counts; the twin masks them."""
    def padded(seed: int, count: int) -> tuple[Any, Any]:
        x, _ = phrases(seed, count, 2)
        y = np.zeros((count, 40), "i")
        y[:, :2] = x[:, ::-1]
        return x, y

    (x, y), (xv, yv) = padded(13, 900), padded(14, 150)
    model = keras.Sequential([
        keras.Input((2,), dtype="int32"), layers.Embedding(13, 16), layers.GRU(32),
        layers.RepeatVector(40), layers.GRU(32, return_sequences=True),
        layers.Dense(13, activation="softmax"),
    ])
    loss = keras.losses.SparseCategoricalCrossentropy(ignore_class=None if sick else 0)
    model.compile(keras.optimizers.SGD(0.3, momentum=0.9) if sick else keras.optimizers.Adam(5e-3),
                  loss)
    return Training(model, x, y, tokens(xv, yv), (xv, yv), epochs=10)


def tagging_logits(sick: bool) -> Training:
    """A softmax for each word, before a loss that applies one."""
    rng = np.random.default_rng(15)

    def sentences(count: int) -> tuple[Any, Any]:
        x = rng.integers(0, 40, (count, 12)).astype("i")
        before = np.roll(x, 1, axis=1)
        before[:, 0] = 0
        return x, ((x // 10 + (before > 20) * 4) % 8).astype("i")

    (x, y), (xv, yv) = sentences(900), sentences(150)
    model = keras.Sequential([
        keras.Input((12,), dtype="int32"), layers.Embedding(40, 16),
        layers.Bidirectional(layers.LSTM(16, return_sequences=True)),
        layers.TimeDistributed(layers.Dense(8, activation="softmax" if sick else None)),
    ])
    model.compile(keras.optimizers.Adam(3e-3),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def judge(trained: Any) -> float:
        return float((outputs(trained, xv).argmax(-1) == yv).mean())

    return Training(model, x, y, judge, (xv, yv), epochs=3)


PROGRAMS = (
    Program("seg-raw", "segmentation", ("unnormalized-input",), masks_raw, 0.6),
    Program("seg-rare", "segmentation", ("class-imbalance",), masks_rare, 0.6),
    Program("seg-cut", "segmentation", ("wrong-output-activation",), masks_cut, 0.6),
    Program("detect-pixels", "detection", ("unscaled-target",), boxes, 0.8,
            also=("learning-rate-too-low",)),
    Program("outputs-unweighted", "table",
            ("never-updated", "frozen-variable", "zero-gradient"), head_unweighted, 0.85),
    Program("seq2seq-rate", "sequence", ("learning-rate-too-high",), reversal_rate,
            0.6),
    Program("seq2seq-padding", "sequence", ("class-imbalance",), reversal_padded, 0.6),
    Program("tagging-logits", "sequence", ("wrong-output-activation", "wrong-loss"),
            tagging_logits, 0.8),
)
