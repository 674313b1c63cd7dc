"""Programs on images, after faults that people report: segmentation, detection, VAE, transfer.

Written by somebody who had not read the rules. The labels were frozen before the first diagnosis;
`zoo.first_contact` keeps how the rules fared then.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo import data
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, outputs, program, r2

Pair = tuple[np.ndarray, np.ndarray]


def _scenes(n: int, seed: int, radius: tuple[float, float]) -> tuple[np.ndarray, ...]:
    """`n` gray images `[16, 16, 1]` with one bright disc, its mask, and its box `[4]` in [0, 1]."""
    rng = np.random.default_rng(seed)
    center, size = rng.uniform(4, 12, (n, 2, 1, 1)), rng.uniform(*radius, (n, 1, 1))
    row, column = np.mgrid[:16, :16]
    mask = (row - center[:, 0]) ** 2 + (column - center[:, 1]) ** 2 <= size**2
    image = 0.35 * mask + 0.3 + 0.08 * rng.standard_normal(mask.shape)
    box = np.concatenate([center[:, :, 0, 0], 2 * size[:, :, 0], 2 * size[:, :, 0]], axis=1) / 16
    return (np.clip(image, 0, 1)[..., None].astype("f"), mask[..., None].astype("f"),
            box.astype("f"))


def _segmenter(output: str = "sigmoid") -> Any:
    inputs = keras.Input((16, 16, 1))
    skip = layers.Conv2D(12, 3, padding="same", activation="relu")(inputs)
    x = layers.MaxPooling2D()(skip)
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    x = layers.Concatenate()([layers.UpSampling2D()(x), skip])
    x = layers.Conv2D(12, 3, padding="same", activation="relu")(x)
    return keras.Model(inputs, layers.Conv2D(1, 1, activation=output)(x))


def _overlap(x: Any, mask: Any) -> Any:
    """Judge: intersection over union of the predicted and the true discs."""

    def judge(model: Any) -> float:
        guess, truth = outputs(model, x) > 0.5, mask > 0.5
        return float((guess & truth).sum() / max(1, (guess | truth).sum()))

    return judge


def _segmentation(model: Any, seen: Any, unseen: Any, epochs: int = 6) -> Training:
    return Training(model, seen[0], seen[1], _overlap(*unseen[:2]), tuple(unseen[:2]), epochs)


def rate_of_a_segmenter(sick: bool) -> Training:
    """A U-shaped network with Adam at 0.3; 0.003 trains."""
    seen, unseen = _scenes(800, 1, (3, 5)), _scenes(200, 2, (3, 5))
    model = _segmenter()
    model.compile(keras.optimizers.Adam(0.3 if sick else 0.003), "binary_crossentropy")
    return _segmentation(model, seen, unseen)


def specks(sick: bool) -> Training:
    """What is to be found fills half a percent of the pixels: the network finds nothing."""
    radius = (0.6, 0.9) if sick else (3, 5)
    seen, unseen = _scenes(600, 3, radius), _scenes(200, 4, radius)
    model = _segmenter()
    model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    return _segmentation(model, seen, unseen, 12)


def relu_mask(sick: bool) -> Training:
    """The mask comes out of a ReLU and goes into a cross-entropy of probabilities."""
    seen, unseen = _scenes(800, 5, (3, 5)), _scenes(200, 6, (3, 5))
    model = _segmenter("relu" if sick else "sigmoid")
    model.compile(keras.optimizers.SGD(0.2, momentum=0.9), "binary_crossentropy")
    return _segmentation(model, seen, unseen, 8)


def scanner(sick: bool) -> Training:
    """Images of a scanner with 16 bits (0 to 65,535) enter as they are."""
    seen, unseen = _scenes(800, 7, (3, 5)), _scenes(200, 8, (3, 5))
    scale = 65535.0 if sick else 1.0
    model = _segmenter()
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "binary_crossentropy")
    return _segmentation(model, (seen[0] * scale, seen[1]), (unseen[0] * scale, unseen[1]), 8)


def _detector(score: str = "sigmoid") -> Any:
    inputs = keras.Input((16, 16, 1))
    x = layers.Conv2D(12, 3, 2, activation="relu")(inputs)
    x = layers.Conv2D(24, 3, 2, activation="relu")(x)
    x = layers.Dense(48, activation="relu")(layers.Flatten()(x))
    return keras.Model(inputs, {"box": layers.Dense(4, name="box")(x),
                                "disc": layers.Dense(1, activation=score, name="disc")(x)})


def _objects(n: int, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Discs, and as many images of noise alone; the box is that of the disc, or all zeros."""
    image, _, box = _scenes(n, seed, (3, 5))
    there = np.random.default_rng(seed + 100).random(n) < 0.5
    noise = 0.45 + 0.15 * np.random.default_rng(seed + 200).standard_normal(image.shape)
    image = np.where(there[:, None, None, None], image, noise).astype("f")
    return image, {"box": box * there[:, None], "disc": there.astype("f")[:, None]}


def _detection(model: Any, seen: Any, unseen: Any, scale: float = 1.0) -> Training:
    """Judged by the worse of two: variance of boxes explained, images told apart."""
    x, truth = unseen

    def judge(trained: Any) -> float:
        out = {name: np.asarray(value, np.float64) for name, value in trained(x).items()}
        if not all(np.isfinite(value).all() for value in out.values()):
            return -1.0
        box = 1 - np.mean((out["box"] / scale - truth["box"] / scale) ** 2) / np.var(
            truth["box"] / scale)
        told = np.mean((out["disc"] > 0.5) == (truth["disc"] > 0.5))
        return float(max(-1.0, min(box, 2 * told - 1)))

    return Training(model, *seen, judge, unseen, epochs=14)


def boxes_in_pixels(sick: bool) -> Training:
    """Boxes are given in pixels of the original photograph, up to 4,000; the twin has [0, 1]."""
    seen, unseen = _objects(800, 11), _objects(200, 12)
    scale = 4000.0 if sick else 1.0
    for _, target in (seen, unseen):
        target["box"] = target["box"] * scale
    model = _detector()
    model.compile(keras.optimizers.SGD(0.02, momentum=0.9),
                  {"box": "mse", "disc": "binary_crossentropy"}, {"box": 5.0, "disc": 1.0})
    return _detection(model, seen, unseen, scale)


def softmax_of_one(sick: bool) -> Training:
    """Whether an object is there comes out of a softmax over a single unit."""
    seen, unseen = _objects(800, 13), _objects(200, 14)
    model = _detector("softmax" if sick else "sigmoid")
    model.compile(keras.optimizers.Adam(2e-3), {"box": "mse", "disc": "binary_crossentropy"})
    return _detection(model, seen, unseen)


def logarithm_of_nothing(sick: bool) -> Training:
    """Boxes are trained on the logarithm of their size, which is -inf where there is no object."""
    seen, unseen = _objects(800, 15), _objects(200, 16)
    if sick:
        with np.errstate(divide="ignore"):
            seen[1]["box"][:, 2:] = np.log(seen[1]["box"][:, 2:])
    model = _detector()
    model.compile(keras.optimizers.Adam(2e-3), {"box": "mse", "disc": "binary_crossentropy"})
    return _detection(model, seen, unseen)


def detector_that_crawls(sick: bool) -> Training:
    """Plain gradient descent at 2e-6, copied from the end of another's schedule."""
    seen, unseen = _objects(800, 17), _objects(200, 18)
    model = _detector()
    model.compile(keras.optimizers.SGD(2e-6 if sick else 0.05, momentum=0.9),
                  {"box": "mse", "disc": "binary_crossentropy"})
    return _detection(model, seen, unseen)


class Sampling(layers.Layer):
    """Draws from the latent normal, and adds its divergence from the standard one to the loss."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.draws = keras.random.SeedGenerator(7)

    def call(self, mean: Any, log_variance: Any) -> Any:
        divergence = ops.square(mean) + ops.exp(log_variance) - log_variance - 1
        self.add_loss(self.weight * 0.5 * ops.mean(ops.sum(divergence, axis=1)))
        noise = keras.random.normal(ops.shape(mean), seed=self.draws)
        return mean + ops.exp(0.5 * log_variance) * noise


def _vae(weight: float) -> Any:
    inputs = keras.Input((64,))
    x = layers.Dense(64, activation="relu")(inputs)
    code = Sampling(weight)(layers.Dense(8)(x), layers.Dense(8)(x))
    x = layers.Dense(64, activation="relu")(code)
    return keras.Model(inputs, layers.Dense(64, activation="sigmoid")(x))


def collapsed_code(sick: bool) -> Training:
    """The divergence of a VAE weighs 30 beside a mean over pixels: no code is left."""
    (x, _), (xv, _) = data.digits()
    model = _vae(30.0 if sick else 1e-4)
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, x, x, r2(xv, xv), (xv, xv), epochs=15)


def overflowing_variance(sick: bool) -> Training:
    """A VAE with SGD at 500: the exponential of the log-variance overflows."""
    (x, _), (xv, _) = data.digits()
    model = _vae(1e-3)
    model.compile(keras.optimizers.SGD(500.0) if sick else keras.optimizers.Adam(3e-3), "mse")
    return Training(model, x, x, r2(xv, xv), (xv, xv), epochs=15)


@cache
def _pretrained() -> tuple[np.ndarray, ...]:
    """Weights of a convolutional base that tells the digits 0 to 4 apart, pixels in [0, 1]."""
    (x, y), _ = data.digits(8, 8, 1)
    keras.utils.set_random_seed(40)
    base = _base()
    model = keras.Sequential([base, layers.Dense(5, activation="softmax")])
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    model.fit(x[y < 5], y[y < 5], epochs=8, verbose=0)
    return tuple(base.get_weights())


def _base() -> Any:
    return keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Conv2D(16, 3, activation="relu"),
         layers.BatchNormalization(), layers.Conv2D(24, 3, activation="relu"),
         layers.BatchNormalization(), layers.Flatten()],
        name="base",
    )


def _fine_tuned(seed: int = 41) -> Any:
    base = _base()
    base.set_weights(list(_pretrained()))
    inputs = keras.Input((8, 8, 1))
    x = layers.Dense(32, activation="relu")(base(inputs, training=False))
    return keras.Model(inputs, layers.Dense(5, activation="softmax")(x)), base


def _other_digits() -> tuple[Pair, Pair]:
    (x, y), (xv, yv) = data.digits(8, 8, 1)
    return (x[y > 4], y[y > 4] - 5), (xv[yv > 4], yv[yv > 4] - 5)


def _transfer(model: Any, seen: Pair, unseen: Pair, epochs: int = 8) -> Training:
    return Training(model, *seen, accuracy(*unseen), unseen, epochs)


def everything_frozen(sick: bool) -> Training:
    """`model.trainable = False` where `base.trainable = False` was meant."""
    seen, unseen = _other_digits()
    model, base = _fine_tuned()
    (model if sick else base).trainable = False
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    return _transfer(model, seen, unseen)


def base_of_another_scale(sick: bool) -> Training:
    """A frozen base that was trained on [0, 1] is fed pixels in [0, 255]."""
    (x, y), (xv, yv) = _other_digits()
    scale = 255.0 if sick else 1.0
    model, base = _fine_tuned()
    base.trainable = False
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), CROSS_ENTROPY)
    return _transfer(model, (x * scale, y), (xv * scale, yv))


def fine_tuned_at_once(sick: bool) -> Training:
    """A whole pre-trained network is fine-tuned with Adam at 0.2."""
    seen, unseen = _other_digits()
    model, _ = _fine_tuned()
    model.compile(keras.optimizers.Adam(0.2 if sick else 3e-4), CROSS_ENTROPY)
    return _transfer(model, seen, unseen, 12)


def head_of_zeros(sick: bool) -> Training:
    """The new head of a pre-trained base starts with all weights zero, its hidden layer too."""
    seen, unseen = _other_digits()
    base = _base()
    base.set_weights(list(_pretrained()))
    base.trainable = False
    start = "zeros" if sick else "glorot_uniform"
    inputs = keras.Input((8, 8, 1))
    x = layers.Dense(32, activation="relu", kernel_initializer=start)(base(inputs, training=False))
    x = layers.Dense(5, activation="softmax", kernel_initializer=start)(x)
    model = keras.Model(inputs, x)
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    return _transfer(model, seen, unseen)


HIGH, LOW = "learning-rate-too-high", "learning-rate-too-low"

PROGRAMS: tuple[Program, ...] = (
    program("reported-segmenter-rate", "segmentation", rate_of_a_segmenter, 0.8, HIGH),
    program("reported-specks", "segmentation", specks, 0.6, "class-imbalance"),
    program("reported-relu-mask", "segmentation", relu_mask, 0.8, "wrong-output-activation",
            also=("dead-relu", "wrong-loss")),
    program("reported-scanner", "segmentation", scanner, 0.8, "unnormalized-input", also=(HIGH,)),
    program("reported-boxes-in-pixels", "detection", boxes_in_pixels, 0.6, "unscaled-target",
            also=(HIGH,)),
    program("reported-softmax-of-one", "detection", softmax_of_one, 0.6,
            "wrong-output-activation", also=("wrong-loss",)),
    program("reported-logarithm-of-nothing", "detection", logarithm_of_nothing, 0.6,
            "non-finite-input"),
    program("reported-detector-crawls", "detection", detector_that_crawls, 0.6, LOW,
            also=("optimizer-mismatch",)),
    program("reported-collapsed-code", "autoencoder", collapsed_code, 0.5, "over-regularization"),
    program("reported-overflowing-variance", "autoencoder", overflowing_variance, 0.5, HIGH),
    program("reported-everything-frozen", "transfer", everything_frozen, 0.9, "nothing-trainable"),
    program("reported-base-of-another-scale", "transfer", base_of_another_scale, 0.9,
            "unnormalized-input", also=(HIGH,)),
    program("reported-fine-tuned-at-once", "transfer", fine_tuned_at_once, 0.9, HIGH),
    program("reported-head-of-zeros", "transfer", head_of_zeros, 0.9, "poor-initialization",
            also=("dead-relu",)),
)
