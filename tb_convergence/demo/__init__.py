"""The demo: sick networks and a healthy one, trained on real data, shown in the Convergence tab.

`programs` is what a person reads: one small Keras script per fault. `train` runs them, `serve`
starts TensorBoard. Importing this module loads none of them: TensorFlow and scikit-learn are needed
only to train.
"""

from __future__ import annotations

import os
import sys
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from tb_convergence.demo.serve import explain, show

_NEEDED = {"tensorflow": "tensorflow", "sklearn": "scikit-learn"}


def run(
    logdir: str | None = None, *, seed: int = 0, serve: bool = True, port: int | None = None
) -> int:
    """Train every program of the demo below `logdir`, then serve it until Ctrl-C.

    Args:
        logdir: where to write; None for a new temporary directory.
        seed: varies the split of the data, the initial weights and the order of the batches.
        serve: start TensorBoard afterward; otherwise print the commands to look at the runs.
        port: port of TensorBoard; None for 6006, or the next free one.

    Returns:
        Exit status: 0; 2 for bad input or missing packages, with the reason on standard error; 1
        when TensorBoard did not start.
    """
    problem = _missing() or _unusable(logdir) or _bad_seed(seed)
    if problem is not None:
        sys.stderr.write(f"tb-convergence: {problem}\n")
        return 2
    folder = Path(logdir) if logdir is not None else Path(tempfile.mkdtemp(prefix="convergence-"))
    # Both are read once, when TensorFlow is loaded: keep its greetings out of the progress bars.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    # Loaded by name, and now: it imports what may be missing.
    import_module("tb_convergence.demo.train").train_all(folder, seed, sys.stdout)
    return show(folder, port, sys.stdout) if serve else explain(folder, sys.stdout)


def _missing() -> str | None:
    """What to install, where something is missing to train."""
    missing = [name for module, name in _NEEDED.items() if find_spec(module) is None]
    if not missing:
        return None
    return (
        f"the demo trains networks and needs {' and '.join(missing)}: "
        f"{Path(sys.executable).name} -m pip install {' '.join(missing)}"
    )


def _unusable(logdir: str | None) -> str | None:
    """Why `logdir` cannot be written to; runs that exist are never overwritten or mixed with."""
    if logdir is None:
        return None
    folder = Path(logdir)
    if folder.exists() and not folder.is_dir():
        return f"{logdir!r} is not a directory"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if next(folder.iterdir(), None) is not None:
            return f"{logdir!r} is not empty: name a new directory, or delete it first"
    except OSError as error:
        return f"cannot write to {logdir!r}: {error.strerror}"
    return None


def _bad_seed(seed: int) -> str | None:
    if 0 <= seed < 2**32:
        return None
    return f"the seed must be between 0 and 2**32 - 1, not {seed}"
