"""The data of the demo: 1,797 handwritten digits of 8 x 8 pixels, which scikit-learn ships.

E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
Repository, 1998.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


@dataclass(frozen=True, slots=True)
class Digits:
    """One random split, stratified by digit; a quarter is held out.

    Attributes:
        x_train, x_valid: float32 `[N, F]`: N images, F features.
        y_train, y_valid: int32 `[N]`, the digit, 0 to 9.
    """

    x_train: NDArray[np.float32]
    y_train: NDArray[np.int32]
    x_valid: NDArray[np.float32]
    y_valid: NDArray[np.int32]

    @property
    def training(self) -> dict[str, Any]:
        """Arguments of `model.fit` that name the data."""
        return {
            "x": self.x_train,
            "y": self.y_train,
            "validation_data": (self.x_valid, self.y_valid),
        }


def pixels(seed: int) -> Digits:
    """The 64 pixels, scaled from their 0 to 16 to 0 to 1. F = 64."""
    return _split(_raw() / np.float32(16.0), seed)


def measurements(seed: int) -> Digits:
    """Pixels as stored (0 to 16) and what one may measure in an image, each in its own unit.

    F = 83: 64 pixels, the sums of the 8 rows and 8 columns (about 40), and the ink (about 300), its
    energy (about 4,000) and its moment of inertia (about 10,000).
    """
    flat = _raw()
    images = flat.reshape(-1, 8, 8)
    distance = np.add.outer(np.arange(8) ** 2, np.arange(8) ** 2)
    columns = (
        flat,
        images.sum(axis=2),
        images.sum(axis=1),
        images.sum(axis=(1, 2))[:, None],
        (images**2).sum(axis=(1, 2))[:, None],
        (images * distance).sum(axis=(1, 2))[:, None],
    )
    return _split(np.concatenate(columns, axis=1), seed)


def _raw() -> NDArray[np.float32]:
    """Pixels as stored: float32 `[1797, 64]`, whole numbers from 0 to 16."""
    return np.asarray(load_digits().data, dtype=np.float32)


def _split(features: NDArray[np.floating[Any]], seed: int) -> Digits:
    labels = np.asarray(load_digits().target, dtype=np.int32)
    x_train, x_valid, y_train, y_valid = train_test_split(
        features.astype(np.float32), labels, test_size=0.25, random_state=seed, stratify=labels
    )
    return Digits(x_train, y_train, x_valid, y_valid)
