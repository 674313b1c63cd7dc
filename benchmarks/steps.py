"""B1 and B4: what observing a training costs, step by step, beside the alternatives."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any, Final

import keras

from benchmarks import networks, turns
from benchmarks.report import Options, Table, say
from tb_convergence.keras import ConvergenceCallback
from tb_convergence.training.host import cadence

TURN_SECONDS: Final = 1.5
TURNS: Final = 15
SKIP: Final = 3
DEBUGGED_STEPS: Final = 30


class _Settled(ConvergenceCallback):
    """The callback at its defaults in the middle of a long training.

    A real training may spend some seconds on records before the share counts, and records all of
    its first steps; in a benchmark of a minute those alone would be two percent.
    """

    def on_train_begin(self, logs: Any = None) -> None:
        super().on_train_begin(logs)
        self.share: float | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        session = self._session
        if session is not None:
            self.share = session.measured_share


def step_time(options: Options) -> Table:
    """B1 and B4 in one table."""
    cadence.FREE_SECONDS = 0.0  # type: ignore[misc]  # see _Settled
    lines = []
    plans: list[tuple[str, dict[str, Any]]] = [(name, {}) for name in networks.NETWORKS]
    plans.append(("MLP", {"jit_compile": True}))
    for name, settings in plans[:1] if options.quick else plans:
        title = name + (", jit_compile=True" if settings else "")
        say(f"B1, B4: {title}")
        found = _network(name, settings, options)
        debugger = "not with XLA" if settings else _debugger(name, options)
        lines.append((title, *found, debugger))
    return Table(
        "Time of a training step",
        "Time of `fit` with each callback, relative to the same training without one. The "
        "alternatives take turns, epoch by epoch. \"Wall\" is elapsed time, \"processor\" is CPU "
        "time, which other programs on the machine disturb less. \"Without, again\" repeats "
        "the training without a callback: its distance from 1 is the resolution of the "
        "measurement. Our callback runs with default settings, then with watch_every_step=True. "
        "Both include recording, but not the start of the training, during which the callback may "
        "use its three free seconds. Keras' own callback "
        f"only writes histograms of the weights, once per epoch, here every {TURN_SECONDS:g} s. "
        "The debugger runs in a separate process.",
        ("network", "step, ms", "with ours, wall (target <= 1.01)", "with ours, processor",
         "without, again, processor", "own measured share",
         "with watch_every_step=True, wall",
         "with watch_every_step=True, processor (target <= 1.05)", "its own measured share",
         "with TensorBoard(histogram_freq=1)",
         "with Debugger V2 FULL_HEALTH"),
        lines,
    )


def _network(name: str, settings: Mapping[str, Any], options: Options) -> tuple[str, ...]:
    seconds = _step_seconds(name, settings)
    steps = max(20, round((0.3 if options.quick else TURN_SECONDS) / seconds))
    data = networks.batches(name, steps)
    count, skip = (4, 2) if options.quick else (TURNS, SKIP)
    with tempfile.TemporaryDirectory() as folder:
        ours = _Settled(os.path.join(folder, "ours"))
        watched = _Settled(os.path.join(folder, "watched"), watch_every_step=True)
        theirs = keras.callbacks.TensorBoard(os.path.join(folder, "theirs"), histogram_freq=1)
        clocks = turns.fits(
            {
                "none": (networks.compiled(name, **settings), []),
                "ours": (networks.compiled(name, **settings), [ours]),
                "watched": (networks.compiled(name, **settings), [watched]),
                "none again": (networks.compiled(name, **settings), []),
                "theirs": (networks.compiled(name, **settings), [theirs]),
            },
            data, count, skip,
        )
        for recorder in (ours, watched):
            if recorder.disabled_reason is not None:
                raise RuntimeError(f"the recorder gave up: {recorder.disabled_reason}")
    plain = clocks["none"]
    both = [(a + b) / 2 for a, b in zip(plain.wall, clocks["none again"].wall, strict=True)]
    cpu = [
        (a + b) / 2
        for a, b in zip(plain.processor, clocks["none again"].processor, strict=True)
    ]
    shares = ["" if one.share is None else f"{one.share:.3%}" for one in (ours, watched)]
    return (
        f"{1e3 * sorted(both)[len(both) // 2] / steps:.2f}",
        str(turns.ratio(clocks["ours"].wall, both)),
        str(turns.ratio(clocks["ours"].processor, cpu)),
        str(turns.ratio(clocks["none again"].processor, plain.processor)),
        shares[0],
        str(turns.ratio(clocks["watched"].wall, both)),
        str(turns.ratio(clocks["watched"].processor, cpu)),
        shares[1],
        str(turns.ratio(clocks["theirs"].wall, both)),
    )


def _step_seconds(name: str, settings: Mapping[str, Any]) -> float:
    """Time of a step, roughly."""
    model = networks.compiled(name, **settings)
    model.fit(networks.batches(name, 20), verbose=0)
    clock = turns.calls({"fit": lambda: model.fit(networks.batches(name, 20), verbose=0)}, 1)
    return clock["fit"].wall[0] / 20


def _debugger(name: str, options: Options) -> str:
    """Ratio of step times, each measured in a process of its own, in turns."""
    times: dict[str, list[float]] = {"plain": [], "debugged": []}
    for _ in range(1 if options.quick else 2):
        for way, found in times.items():
            command = [sys.executable, "-m", "benchmarks.debugged", name, way, str(DEBUGGED_STEPS)]
            done = subprocess.run(  # noqa: S603 - a program of ours
                command, check=True, capture_output=True, text=True
            )
            found.append(float(done.stdout.split()[-1]))
    return str(turns.ratio(times["debugged"], times["plain"]))
