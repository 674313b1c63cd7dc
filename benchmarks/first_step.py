"""What the callback adds to the first step, in which TensorFlow traces and optimizes it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from statistics import median
from typing import Any

import keras
import numpy as np

from benchmarks import turns
from benchmarks.report import Options, Table, say

DEPTHS = (2, 8, 25)
TURNS = 3


def first_step(options: Options) -> Table:
    """Dense networks of several depths, in processes that take turns."""
    lines = []
    plans = [(depth, jit) for jit in (False, True) for depth in DEPTHS if not jit or depth == 8]
    for depth, jit in plans[:1] if options.quick else plans:
        say(f"first step: {depth} layers{', XLA' if jit else ''}")
        times: dict[str, list[float]] = {"plain": [], "observed": []}
        for _ in range(1 if options.quick else TURNS):
            for way, found in times.items():
                command = [
                    sys.executable, "-m", "benchmarks.first_step", str(depth), way, str(int(jit))
                ]
                done = subprocess.run(  # noqa: S603 - this very program
                    command, check=True, capture_output=True, text=True
                )
                found.append(float(done.stdout.split()[-1]))
        more = median(b - a for a, b in zip(times["plain"], times["observed"], strict=True))
        lines.append((
            f"{depth}{', jit_compile=True' if jit else ''}",
            f"{median(times['plain']):.2f}",
            f"{more:+.2f}",
            str(turns.ratio(times["observed"], times["plain"])),
        ))
    return Table(
        "First step",
        "CPU seconds until the end of the first step of a dense network, including tracing: "
        "without the callback, the amount that the callback adds, and the ratio.",
        ("layers", "without", "added", "with / without"),
        lines,
    )


def _main() -> None:
    depth, way, jit = sys.argv[1:]
    _first_step(1, False, [])  # TensorFlow's own beginnings
    with tempfile.TemporaryDirectory() as folder:
        callbacks: list[Any] = []
        if way == "observed":
            from tb_convergence.keras import ConvergenceCallback  # noqa: PLC0415

            callbacks.append(ConvergenceCallback(folder))
        sys.stdout.write(f"{_first_step(int(depth), jit == '1', callbacks)}\n")


def _first_step(depth: int, jit: bool, callbacks: list[Any]) -> float:
    layers = [keras.layers.Dense(64, activation="relu") for _ in range(depth - 1)]
    model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, jit_compile=jit)
    x, y = np.ones((64, 64), "float32"), np.zeros(64, "int64")
    began = time.process_time()
    model.fit(x, y, batch_size=64, verbose=0, callbacks=callbacks)
    return time.process_time() - began


if __name__ == "__main__":
    _main()
