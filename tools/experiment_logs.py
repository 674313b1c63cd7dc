"""Trains a small network on inputs that are not normalized, and makes every experiment on it.

    python tools/experiment_logs.py FOLDER

The run `sgd-unscaled-input` is for the picture of the view "Experiments"; it takes a few minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
from sklearn.datasets import load_digits

from tb_convergence.experiments import (
    Settings,
    ablate,
    check_data,
    doctor,
    gradient_check,
    lr_range_test,
    overfit_small_sample,
)
from tb_convergence.keras import ConvergenceCallback

TRAINED = 1400
"""Samples; the others validate."""


def network() -> Any:
    """Two hidden layers with dropout; SGD with momentum and clipping at a usual rate."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((64,)), keras.layers.Dense(48, "relu"), keras.layers.Dropout(0.2),
        keras.layers.Dense(48, "relu"), keras.layers.Dropout(0.3),
        keras.layers.Dense(10, "softmax"),
    ])
    model.compile(
        keras.optimizers.SGD(0.1, momentum=0.9, clipnorm=1.0), "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def main(folder: Path) -> None:
    """Write the run."""
    x, y = load_digits(return_X_y=True)
    scales = 10 ** np.random.default_rng(0).uniform(-1, 2.3, x.shape[1])
    x = (x * scales).astype(np.float32)
    train, held_out = (x[:TRAINED], y[:TRAINED]), (x[TRAINED:], y[TRAINED:])
    run = folder / "sgd-unscaled-input"
    network().fit(*train, validation_data=held_out, epochs=12, batch_size=32, verbose=0,
                  callbacks=[ConvergenceCallback(str(run))])
    model, settings = network(), Settings(progress=False, log_dir=run)
    check_data(*train, validation_data=held_out, model=model, settings=settings)
    lr_range_test(model, *train, batch_size=32, settings=settings)
    overfit_small_sample(model, *train, settings=settings)
    gradient_check(model, *train, settings=settings)
    ablate(model, *train, validation_data=held_out, batch_size=32, steps=200, settings=settings)
    doctor(model, *train, validation_data=held_out, batch_size=32, epochs=12, settings=settings)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
