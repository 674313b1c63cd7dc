"""Runs the programs of the demo, one after the other, each in a directory of its own.

In one process: TensorFlow is loaded once, it uses both cores of a small machine by itself, and two
processes saved a tenth of the time there.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TextIO

import keras

from tb_convergence.demo.programs import PROGRAMS
from tb_convergence.demo.progress import Progress


def train_all(folder: Path, seed: int, out: TextIO) -> None:
    """Train every program below `folder`; each starts from the same `seed`, whatever ran before."""
    start = time.monotonic()
    out.write(f"Training {len(PROGRAMS)} small networks on scikit-learn's digits in {folder}\n")
    for program in PROGRAMS:
        keras.utils.set_random_seed(seed)
        program.train(str(folder / program.name), seed, [Progress(program.name, out)])
        keras.backend.clear_session()
    out.write(f"Trained in {time.monotonic() - start:.0f} s.\n")
    out.flush()
