"""A training under TensorFlow's Debugger V2, or without: prints the median time of its epochs.

A program of its own, because the debugger changes everything that is traced after it.
"""

from __future__ import annotations

import sys
import tempfile
from statistics import median

import tensorflow as tf

from benchmarks import networks, turns


def main() -> None:
    """Arguments: name of the network, "debugged" or "plain", steps of an epoch."""
    name, way, steps = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        if way == "debugged":
            tf.debugging.experimental.enable_dump_debug_info(
                folder, tensor_debug_mode="FULL_HEALTH", circular_buffer_size=-1
            )
        model = networks.compiled(name)
        data = networks.batches(name, int(steps))
        clocks = turns.fits({"fit": (model, [])}, data, turns=3, skip=1)
    sys.stdout.write(f"{median(clocks['fit'].wall)}\n")


if __name__ == "__main__":
    main()
