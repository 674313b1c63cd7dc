"""Data of the zoo: scikit-learn's own sets, and generated sequences. Nothing is downloaded.

Every function gives `(x, y), (x_unseen, y_unseen)`, always the same ones: a seed changes a
training, never its data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.preprocessing import StandardScaler

Split = tuple[tuple[Any, Any], tuple[Any, Any]]


def split(x: np.ndarray, y: np.ndarray, share: float = 0.8) -> Split:
    """Shuffle with a fixed seed and cut."""
    order = np.random.default_rng(20).permutation(len(x))
    x, y = x[order], y[order]
    n = int(len(x) * share)
    return (x[:n], y[:n]), (x[n:], y[n:])


def standardized(data: Split) -> Split:
    """Features to mean 0 and deviation 1, as the training part has it."""
    (x, y), (xv, yv) = data
    scaler = StandardScaler().fit(x)
    return (scaler.transform(x).astype("f"), y), (scaler.transform(xv).astype("f"), yv)


def digits(*shape: int, scale: float = 1.0) -> Split:
    """1,797 handwritten digits of 8 x 8 pixels in [0, scale], and their class."""
    bunch = datasets.load_digits()
    x = (bunch.data / 16 * scale).astype("f").reshape(-1, *(shape or (64,)))
    return split(x, bunch.target.astype("i"))


def wine(*, raw: bool = False) -> Split:
    """178 wines: 13 chemical measurements in their own units (1 to 1,680), three growers."""
    bunch = datasets.load_wine()
    data = split(bunch.data.astype("f"), bunch.target.astype("i"), 0.7)
    return data if raw else standardized(data)


def cancer(*, raw: bool = False) -> Split:
    """569 biopsies: 30 measurements in their own units (0.01 to 4,254), benign or not."""
    bunch = datasets.load_breast_cancer()
    data = split(bunch.data.astype("f"), bunch.target.astype("f")[:, None])
    return data if raw else standardized(data)


def diabetes() -> Split:
    """442 patients: ten standardized measurements, standardized progress of the disease."""
    bunch = datasets.load_diabetes()
    (x, y), (xv, yv) = standardized(split(bunch.data, bunch.target[:, None]))
    mean, std = y.mean(), y.std()
    return (x, ((y - mean) / std).astype("f")), (xv, ((yv - mean) / std).astype("f"))


def friedman(*, scale: float = 1.0, shift: float = 0.0) -> Split:
    """Friedman's first function: ten features in [0, 1], five of them matter, smooth with noise.

    The target is standardized, then multiplied and shifted.
    """
    x, y = datasets.make_friedman1(1500, noise=0.5, random_state=21)
    y = (y - y.mean()) / y.std() * scale + shift
    return split(x.astype("f") * 2 - 1, y.astype("f")[:, None])


def rings() -> Split:
    """Two classes, one around the other: no linear map parts them."""
    x, y = datasets.make_circles(1500, noise=0.08, factor=0.5, random_state=22)
    return standardized(split(x.astype("f"), y.astype("f")[:, None]))


def spirals() -> Split:
    """Two arms wound around each other: takes more than a few units."""
    rng = np.random.default_rng(23)
    label = rng.integers(0, 2, 2000)
    turn = np.sqrt(rng.random(2000)) * 2.2 * np.pi
    angle = turn + np.pi * label
    x = np.stack([turn * np.cos(angle), turn * np.sin(angle)], 1) / 4
    x = x + 0.03 * rng.standard_normal(x.shape)
    return split(x.astype("f"), label.astype("f")[:, None])


def rare(positives: float) -> Split:
    """Two overlapping clouds in eight dimensions, of which a share `positives` is the second.

    The unseen part always holds as many of either.
    """
    rng = np.random.default_rng(24)

    def cloud(n: int, share: float) -> tuple[np.ndarray, np.ndarray]:
        y = (np.arange(n) < round(n * share)).astype("f")
        rng.shuffle(y)
        x = rng.standard_normal((n, 8)) + 0.55 * y[:, None]
        return x.astype("f"), y[:, None]

    return cloud(2000, positives), cloud(600, 0.5)


def waves(*, scale: float = 1.0, target_scale: float = 1.0, target_shift: float = 0.0) -> Split:
    """1,200 pieces of noisy sine, `[24, 1]`, of any period and phase; the value that follows."""
    rng = np.random.default_rng(25)
    period, phase = rng.uniform(6, 16, (1200, 1)), rng.uniform(0, 2 * np.pi, (1200, 1))
    wave = np.sin(2 * np.pi * np.arange(25) / period + phase)
    seen = wave[:, :24] + 0.05 * rng.standard_normal((1200, 24))
    y = wave[:, 24:] * target_scale + target_shift
    return split((seen * scale)[..., None].astype("f"), y.astype("f"))


def reviews() -> Split:
    """1,600 texts of 16 of 120 words; ten words speak for, ten against, the rest for nothing."""
    rng = np.random.default_rng(26)
    words = rng.integers(20, 120, (1600, 16))
    label = rng.integers(0, 2, 1600)
    for text, side in zip(words, label, strict=True):
        where = rng.choice(16, 4, replace=False)
        text[where] = rng.integers(0, 10, 4) + 10 * side
        text[where[0]] = rng.integers(0, 10) + 10 * (1 - side)
    return split(words.astype("i"), label.astype("f")[:, None])


def copies() -> Split:
    """1,600 sequences of ten of 12 symbols; the class is the symbol after the only 0, 8 of them."""
    rng = np.random.default_rng(27)
    text = rng.integers(1, 12, (1600, 10))
    where, label = rng.integers(0, 9, 1600), rng.integers(0, 8, 1600)
    text[np.arange(1600), where] = 0
    text[np.arange(1600), where + 1] = label + 1
    return split(text.astype("i"), label.astype("i"))
