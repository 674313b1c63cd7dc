"""Train a script with and without the callback, and compare everything bit for bit.

    python -m tests.identity my_script.py [its arguments]
    python -m tests.identity --corpus [names of scripts in tests/scripts]

A script runs three times from the same seeds, in processes of their own: twice as it is, to see
whether it can be repeated at all, and once with `ConvergenceCallback` added to every call of
`Model.fit`. The corpus runs without us, with the callback at its defaults behind all others, and
with every option of it in front of all others.

After each call of `fit` these are compared: every variable of the model, its metrics and
optimizers, variables of TensorFlow in its layers, the history, what `fit` raised, and the random
generators of Python, NumPy, TensorFlow and Keras. At the end the script's own global variables are
compared, so what it predicted, drew and counted, and what it printed from Python, except for
durations.

Exit status: 0 identical, 1 different, 2 a script cannot be repeated.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import logging
import os
import random
import re
import runpy
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "tests" / "scripts"

PLAIN, DEFAULTS, EVERYTHING = "plain", "defaults", "everything"
"""How a script is run: without us; with us at the defaults; with every option, before others."""

OPTIONS: dict[str, dict[str, Any]] = {
    DEFAULTS: {},
    EVERYTHING: {
        "every_n_steps": 1, "keep_last_finite": True, "gradient_histograms": True, "live": True,
        "trajectory": True,
    },
}

ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # One thread per operation: the order of sums that several threads share is not fixed.
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "PYTHONHASHSEED": "0",
}

TOGETHER = 8
"""Scripts of the corpus that share a process: TensorFlow is slow to import."""

DURATION = re.compile(r"\d+(\.\d+)?(ms|us|s)\b(/(step|epoch))?")
"""In what a script prints: differs from run to run."""

Report = dict[str, Any]


def corpus() -> list[Path]:
    """The scripts of the corpus."""
    return sorted(path for path in SCRIPTS.glob("*.py") if path.name != "conftest.py")


# ---- what is compared -------------------------------------------------------------------------


def digest(value: Any) -> str:
    """A short hash of an array's shape, dtype and bytes."""
    import numpy as np  # noqa: PLC0415 - the parent process needs none

    array = np.asarray(value)
    raw = repr(array.tolist()).encode() if array.dtype == object else array.tobytes()
    content = f"{array.shape}{array.dtype}".encode() + raw
    return hashlib.sha256(content).hexdigest()[:16]


def hashed(value: Any) -> str:
    """A short hash of plain Python data."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def hidden_variables(layer: Any) -> list[Any]:
    """Variables of TensorFlow in the attributes of a layer and of what these hold."""
    import tensorflow as tf  # noqa: PLC0415

    found, seen, waiting = [], set(), [vars(layer)]
    while waiting and len(seen) < 100_000:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, tf.Variable):
            found.append(value)
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            waiting += value
        elif isinstance(value, (tf.Module, tf.random.Generator)):
            waiting.append(vars(value))
    return found


def state(model: Any, history: Any, error: BaseException | None) -> dict[str, str]:
    """What a call of `fit` leaves behind, by name."""
    import keras  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415
    from keras.src.random.seed_generator import global_seed_generator  # noqa: PLC0415
    from tensorflow.python.eager import context  # noqa: PLC0415
    from tensorflow.python.ops import stateful_random_ops  # noqa: PLC0415

    found = {"random of Keras": digest(global_seed_generator().state.numpy())}
    optimizers = [v for v in vars(model).values() if isinstance(v, keras.optimizers.Optimizer)]
    own = getattr(model, "optimizer", None)
    for kind, holder in [("model", model), *(("optimizer", o) for o in [own, *optimizers] if o)]:
        for index, variable in enumerate(holder.variables):
            found[f"{kind} {variable.path} #{index}"] = digest(variable.numpy())
    for metric in model.metrics:
        for index, variable in enumerate(metric.variables):
            found[f"metric {metric.name} #{index}"] = digest(variable.numpy())
    for index, variable in enumerate(hidden_variables(model)):
        found[f"variable {variable.name} #{index}"] = digest(variable.numpy())
    logs = getattr(history, "history", None) or {}
    for name, values in logs.items():
        found[f"history {name}"] = digest(np.asarray(values, np.float64))
    found["error"] = "" if error is None else f"{type(error).__name__}"
    function = vars(model).get("train_function")
    if error is None:  # an error of another callback may come between us and Keras
        found["train function"] = getattr(function, "__qualname__", type(function).__name__)
    found["random of Python"] = hashed(random.getstate())
    found["random of NumPy"] = digest(np.random.get_state()[1])
    found["random of TensorFlow"] = hashed(context.context()._rng.getstate())
    if stateful_random_ops.global_generator is not None:
        found["global generator"] = digest(stateful_random_ops.global_generator.state.numpy())
    return found


def results(names: dict[str, Any]) -> dict[str, str]:
    """The global variables of a script that are data."""
    import numpy as np  # noqa: PLC0415

    def flat(value: Any) -> list[Any] | None:
        if isinstance(value, (bool, int, float, str, type(None), np.generic, np.ndarray)):
            return [value]
        if isinstance(value, dict):
            value = [item for pair in value.items() for item in pair]
        if not isinstance(value, (list, tuple)):
            return None
        parts = [flat(item) for item in value]
        return None if None in parts else [item for part in parts for item in part or ()]

    found = {}
    temporary = os.path.join(tempfile.gettempdir(), "")
    for name, value in names.items():
        items = None if name.startswith("_") else flat(value)
        if items is None or any(isinstance(i, str) and i.startswith(temporary) for i in items):
            continue
        found[f"result {name}"] = digest(np.array([digest(item) for item in items]))
    return found


def recorded(folder: str) -> str:
    """What was recorded of one call of `fit`, in words: steps, and those with gradients."""
    import numpy as np  # noqa: PLC0415

    from tests.training import event_records  # noqa: PLC0415

    written = event_records.read(folder)
    if "variables" not in written.groups:
        return "nothing"
    group = written.groups["variables"]
    column = group.columns.index("gradient_norm")
    known = {
        step
        for step, table in zip(group.steps, group.tables, strict=True)
        if not np.isnan(table[:, column]).all()
    }
    steps = sorted({*group.steps})
    return f"{len(steps)} steps from {steps[0]}, gradients of {len(known)}"


# ---- running ----------------------------------------------------------------------------------


class Lines(logging.Handler):
    """Keeps what the package logs."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.texts.append(record.getMessage())


def execute(script: str, arguments: Sequence[str], kind: str, folder: str) -> Report:
    """Run a script in this process; what each call of `fit` left behind."""
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    from tb_convergence.keras import ConvergenceCallback  # noqa: PLC0415

    states: list[dict[str, str]] = []
    callbacks: list[ConvergenceCallback] = []
    original = keras.Model.fit

    def fit(model: Any, *args: Any, **kwargs: Any) -> Any:
        if kind != PLAIN:
            path = os.path.join(folder, f"{Path(script).stem}-{len(callbacks)}")
            callback = ConvergenceCallback(path, **OPTIONS[kind])
            given = kwargs.get("callbacks")
            if isinstance(given, keras.callbacks.CallbackList):
                given.append(callback)
            else:
                several = isinstance(given, (list, tuple))
                others = list(given) if several else list(filter(None, [given]))
                first = kind == EVERYTHING
                kwargs["callbacks"] = [callback, *others] if first else [*others, callback]
            callbacks.append(callback)
        history, error = None, None
        try:
            history = original(model, *args, **kwargs)
            return history
        except BaseException as raised:
            error = raised
            raise
        finally:
            states.append(state(model, history, error))

    keras.backend.clear_session()
    keras.config.set_dtype_policy("float32")
    keras.utils.set_random_seed(0)
    # By default its seed differs in every process.
    tf.random.set_global_generator(tf.random.Generator.from_seed(0))
    keras.Model.fit = fit
    sys.argv = [script, *arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    failure, names, began = "", {}, time.process_time()
    printed, lines = io.StringIO(), Lines()
    logging.getLogger("tb_convergence").addHandler(lines)
    try:
        with contextlib.redirect_stdout(printed):
            names = runpy.run_path(script, run_name="__main__")
    except SystemExit:
        pass
    except BaseException:
        failure = traceback.format_exc()
    finally:
        sys.path.pop(0)
        keras.Model.fit = original
        logging.getLogger("tb_convergence").removeHandler(lines)
    ended = {**results(names), "what it printed": DURATION.sub("", printed.getvalue())}
    return {
        "states": [*states, ended],
        "failure": failure,
        "seconds": time.process_time() - began,
        "disabled": [callback.disabled_reason for callback in callbacks],
        "lines": lines.texts,
        "recorded": [recorded(callback.log_dir) for callback in callbacks],
    }


def run(kind: str, scripts: Sequence[str], arguments: Sequence[str] = ()) -> list[Report]:
    """Reports of scripts, run one after the other in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reports.json"
        command = [sys.executable, "-m", "tests.identity", "--report", str(path), "--as", kind]
        command += ["--several", str(len(scripts)), *scripts, *arguments]
        path_list = filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])
        environment = {**os.environ, **ENVIRONMENT, "PYTHONPATH": os.pathsep.join(path_list)}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        if not path.exists():
            sys.exit(f"{scripts[0]} did not run:\n{done.stderr[-2000:]}")
        found: list[Report] = json.loads(path.read_text())
    for report in found:
        if report["failure"]:
            sys.stderr.write(report["failure"])
    return found


def differences(first: Report, second: Report) -> list[str]:
    """What two reports differ in, in words."""
    one, other = first["states"], second["states"]
    if bool(first["failure"]) != bool(second["failure"]):
        return [f"an error: {(first['failure'] or second['failure']).splitlines()[-1]}"]
    if len(one) != len(other):
        return [f"{len(one) - 1} calls of fit against {len(other) - 1}"]
    last = len(one) - 1
    return [
        f"call {index} of fit: {name}" if index < last else f"at the end: {name}"
        for index, (a, b) in enumerate(zip(one, other, strict=True))
        for name in sorted({*a, *b})
        if a.get(name) != b.get(name)
    ]


# ---- the command line -------------------------------------------------------------------------


def compare(script: str, arguments: list[str]) -> int:
    """Run the script three times and print what differs."""
    plain, again, recorded = (
        run(kind, [script], arguments)[0] for kind in (PLAIN, PLAIN, DEFAULTS)
    )
    calls = len(plain["states"]) - 1
    if plain["failure"]:
        return 2
    if not calls:
        print(f"{script} never calls Model.fit of keras: nothing to compare")
        return 2
    unsteady = differences(plain, again)
    if unsteady:
        print(f"{script} differs from itself, so it cannot be compared: {unsteady[0]}")
        return 2
    for reason in filter(None, recorded["disabled"]):
        print(f"not recorded: {reason}")
    found = differences(plain, recorded)
    if found:
        print(f"{script}: DIFFERENT in {len(found)} places, first {found[0]}")
        return 1
    print(f"{script}: identical in {calls} call(s) of fit, {len(plain['states'][-2])} values")
    return 0


def compare_corpus(names: Sequence[str]) -> int:
    """Run the corpus and print a line for each script."""
    chosen = [path for path in corpus() if not names or path.stem in names]
    if unknown := sorted({*names} - {path.stem for path in chosen}):
        sys.exit(f"no such script in {SCRIPTS}: {', '.join(unknown)}")
    status = 0
    for first in range(0, len(chosen), TOGETHER):
        some = chosen[first : first + TOGETHER]
        scripts = [str(path) for path in some]
        plain, *others = (run(kind, scripts) for kind in (PLAIN, DEFAULTS, EVERYTHING))
        for path, expected, *found in zip(some, plain, *others, strict=True):
            line, differs = told(expected, found)
            print(f"{path.stem:24} {line}", flush=True)
            status |= differs or bool(expected["failure"])
    return status


def told(expected: Report, found: Sequence[Report]) -> tuple[str, bool]:
    """A line about one script of the corpus, and whether the callback changes it."""
    lines = []
    for kind, report in zip((DEFAULTS, EVERYTHING), found, strict=True):
        differing = differences(expected, report)
        lines += [f"{kind}: {len(differing)} differ, first {differing[0]}"] if differing else []
    reasons = {reason for report in found for reason in report["disabled"] if reason}
    calls = len(expected["states"]) - 1
    values = sum(map(len, expected["states"]))
    said = "DIFFERENT: " + "; ".join(lines) if lines else "identical"
    seconds = " ".join(f"{report['seconds']:.0f}" for report in (expected, *found))
    return (
        " ".join([f"{calls:3} fit {values:5} values {seconds:>9} s  {said}", *sorted(reasons)]),
        bool(lines),
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.identity", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--as", dest="kind", default=PLAIN, help=argparse.SUPPRESS)
    parser.add_argument("--several", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument(
        "--corpus", action="store_true", help="compare the scripts in tests/scripts; or those named"
    )
    parser.add_argument("script", nargs="?", help="a program that trains with Model.fit")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of the program")
    given = parser.parse_args()
    rest = [*filter(None, [given.script]), *given.arguments]
    if given.corpus:
        return compare_corpus(rest)
    if given.script is None:
        parser.error("name a script, or say --corpus")
    if given.report is None:
        return compare(given.script, given.arguments)
    scripts, arguments = rest[: given.several], rest[given.several :]
    with tempfile.TemporaryDirectory(prefix="identity-") as folder:
        found = [execute(script, arguments, given.kind, folder) for script in scripts]
        given.report.write_text(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
