"""How fast a landscape is computed, and how many points it needs (B10).

A residual network of 8 layers (He et al. 2016: one block per stage, batch normalization, 4 channels
wide) on 64 images of 32 x 32 pixels, trained for a few epochs. It is small so that the benchmark
takes minutes; the table states its size.

* Points per second: `set_weights` and one `evaluate` per point, against the compiled evaluation of
  `landscape`. Both do the same work (kept batch-norm statistics, the same batch), take turns, and
  their losses are compared. Re-estimated statistics, the default, stand beside them.
* Evaluations: the whole 51 x 51 grid against the adaptive one, and how far the contours differ.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import numpy as np

from benchmarks.report import Options, Table, say

SAMPLES = 64
SIZE = 32
WIDTH = 4
BLOCKS = 1
EPOCHS = 8
POINTS = 51
TURNS = 3
EACH = 8
"""Points of a turn."""
TITLE = "Loss landscape: points per second and evaluations"


def images() -> tuple[Any, Any]:
    """Scikit-learn's digits, enlarged to 32 x 32."""
    from sklearn.datasets import load_digits  # noqa: PLC0415 - of the demo extra

    data = load_digits()
    rows = np.random.default_rng(0).permutation(len(data.images))[:SAMPLES]
    enlarged = np.kron(data.images[rows], np.ones((SIZE // 8, SIZE // 8)))
    return (enlarged[..., None] / 16).astype("float32"), data.target[rows].astype("int32")


def resnet() -> Any:
    """`6 n + 2` layers with n = `BLOCKS`."""
    import keras  # noqa: PLC0415 - after the environment is set
    from keras import layers  # noqa: PLC0415

    keras.utils.set_random_seed(0)

    def convolved(x: Any, filters: int, stride: int = 1, active: bool = True) -> Any:
        x = layers.Conv2D(filters, 3, stride, "same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        return layers.ReLU()(x) if active else x

    inputs = keras.Input((SIZE, SIZE, 1))
    x = convolved(inputs, WIDTH)
    for stage in range(3):
        for block in range(BLOCKS):
            filters, stride = WIDTH * 2**stage, 2 if stage and not block else 1
            y = convolved(convolved(x, filters, stride), filters, active=False)
            same = stride == 1 and x.shape[-1] == filters
            shortcut = x if same else layers.Conv2D(filters, 1, stride)(x)
            x = layers.ReLU()(layers.Add()([y, shortcut]))
    outputs = layers.Dense(10)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(1e-2),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def one_by_one(model: Any, data: Any, weights: Any, directions: Any, places: Any) -> list[float]:
    """The loss at points of the plane, as a person writes it with Keras."""
    losses = []
    begin = model.get_weights()
    trainable = {id(variable): number for number, variable in enumerate(model.trainable_variables)}
    at = [trainable.get(id(variable)) for variable in model.weights]
    for place in places:
        moved = [value if number is None else weights[number] + sum(
            part * direction[number] for part, direction in zip(place, directions, strict=True))
            for value, number in zip(begin, at, strict=True)]
        model.set_weights(moved)
        losses.append(float(model.evaluate(*data, batch_size=SAMPLES, verbose=0)))
    model.set_weights(begin)
    return losses


def landscapes(options: Options) -> Table:
    """Both comparisons."""
    import tensorflow as tf  # noqa: PLC0415

    from tb_convergence.experiments.loss_landscape import landscape  # noqa: PLC0415
    from tb_convergence.experiments.loss_landscape.directions import random_pair  # noqa: PLC0415
    from tb_convergence.experiments.loss_landscape.evaluation import (  # noqa: PLC0415
        Surface,
        loss_of,
    )
    from tb_convergence.experiments.loss_landscape.samples import batches_of  # noqa: PLC0415
    from tb_convergence.experiments.loss_landscape.variables import filter_axes  # noqa: PLC0415

    model, data = resnet(), images()
    say("training the network of the landscape")
    model.fit(*data, batch_size=32, epochs=1 if options.quick else EPOCHS, verbose=0)
    function, _ = loss_of(model)
    batches = batches_of(data, SAMPLES, SAMPLES, 0)
    kept, estimated = (Surface(model, function, {}, batches, None, kind)
                       for kind in ("kept", "batch"))
    random, weights = np.random.default_rng(0), kept.weights()
    directions = random_pair(weights, filter_axes(model), 0).vectors
    each, turns = (2, 2) if options.quick else (EACH, TURNS)
    ways: dict[str, Any] = {
        "set_weights, evaluate": lambda p: one_by_one(model, data, weights, directions, p),
        "compiled, kept statistics": lambda p: kept.at(p, directions)[:, 0],
        "compiled, re-estimated statistics": lambda p: estimated.at(p, directions)[:, 0],
    }
    for way in ways.values():  # the first call traces
        way(random.uniform(-0.1, 0.1, (1, 2)))
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    apart = 0.0
    for turn in range(turns):
        say(f"points per second, turn {turn + 1} of {turns}")
        places = random.uniform(-0.3, 0.3, (each, 2))
        found = {}
        for name, way in ways.items():
            began = time.process_time()
            found[name] = np.asarray(way(places))
            seconds[name].append((time.process_time() - began) / each)
        plain, fast = list(found.values())[:2]
        apart = max(apart, float(np.max(abs(plain - fast) / abs(plain))))
    base = median(seconds["set_weights, evaluate"])
    lines = [(name, f"{1 / median(one):.1f}", f"{base / median(one):.1f}x", "")
             for name, one in seconds.items()]
    points = 13 if options.quick else POINTS
    say(f"the whole grid of {points} x {points}")
    common: dict[str, Any] = {
        "points": points, "pairs": 1, "samples": SAMPLES, "batch_size": SAMPLES,
        "curvature": False, "progress": False}
    refined = landscape(model, data, **common)
    plane = refined.planes[0]
    # At the adaptive grid's own points: one without refinement lies elsewhere by half a spacing.
    grid = np.stack(np.meshgrid(plane.x, plane.y, indexing="ij"), axis=-1)
    whole = estimated.at(grid.reshape(-1, 2), directions)[:, 0].reshape(points, points)
    agree = float(np.nanmax(abs(whole - plane.values["loss"])[plane.known] / whole[plane.known]))
    middle, largest = contour_error(plane.values["loss"], whole)
    share = refined.settings["evaluations"] / whole.size
    lines += [
        (f"whole grid, {points} x {points}", "", "", f"{whole.size}"),
        ("adaptive", "", "",
         f"{refined.settings['evaluations']} ({share:.0%}); log loss differs by "
         f"{middle:.1%} of its range at the 95th percentile, {largest:.1%} at most"),
    ]
    size = sum(int(tf.size(v)) for v in model.trainable_variables)
    return Table(
        TITLE,
        f"A residual network of {6 * BLOCKS + 2} layers with {size:,} weights, {SAMPLES} images of "
        f"{SIZE} x {SIZE} pixels in one batch, one pair of filter-normalized directions. Points "
        f"per CPU-second, {turns} turns of {each} points. The losses of the first two ways agree "
        f"to {apart:.0e}, and those of the points that both grids evaluate "
        f"{f'agree to {agree:.0e}' if agree else 'are equal'}. The contour error is the difference "
        "between the log losses of the adaptive grid and of the whole grid, as a fraction of their "
        "range. Goal: 3 times as fast, and a third of the evaluations for a contour error of at "
        "most 2%.",
        ("way", "points per CPU-second", "against evaluate", "evaluations"), lines)


def contour_error(refined: Any, whole: Any) -> tuple[float, float]:
    """95th percentile and largest difference of the log losses, in parts of their range."""
    a, b = (np.log(np.maximum(losses, 1e-6)) for losses in (refined, whole))
    error = abs(a - b) / (np.nanmax(b) - np.nanmin(b))
    return float(np.nanpercentile(error, 95)), float(np.nanmax(error))
