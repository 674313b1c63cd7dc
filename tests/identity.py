"""Train a script with and without the callback, and compare everything bit for bit.

    python -m tests.identity my_script.py [its arguments]

The script runs three times, each time in a process of its own and from the same seeds: twice as it
is, to see whether it can be repeated at all, and once with `ConvergenceCallback` added to every
call of `Model.fit`. Compared after each call of `fit`: every variable of the model, its metrics and
optimizers, the history, what `fit` raised, and the state of the random generators of Python, NumPy
and Keras. Exit status: 0 identical, 1 different, 2 the script cannot be repeated.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # One thread per operation: the order of sums that several threads share is not fixed.
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "PYTHONHASHSEED": "0",
}


def digest(value: Any) -> str:
    """A short hash of an array's shape, dtype and bytes."""
    import numpy as np  # noqa: PLC0415 - the parent process needs none

    array = np.asarray(value)
    content = f"{array.shape}{array.dtype}".encode() + array.tobytes()
    return hashlib.sha256(content).hexdigest()[:16]


def state(model: Any, history: Any, error: BaseException | None) -> dict[str, str]:
    """What a call of `fit` leaves behind, by name."""
    import keras  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    found = {}
    optimizers = [v for v in vars(model).values() if isinstance(v, keras.optimizers.Optimizer)]
    own = getattr(model, "optimizer", None)
    for kind, holder in [("model", model), *(("optimizer", o) for o in [own, *optimizers] if o)]:
        for index, variable in enumerate(holder.variables):
            found[f"{kind} {variable.path} #{index}"] = digest(variable.numpy())
    for metric in model.metrics:
        for index, variable in enumerate(metric.variables):
            found[f"metric {metric.name} #{index}"] = digest(variable.numpy())
    logs = getattr(history, "history", None) or {}
    for name, values in logs.items():
        found[f"history {name}"] = digest(np.asarray(values, np.float64))
    found["error"] = "" if error is None else type(error).__name__
    found["random of Python"] = hashlib.sha256(repr(random.getstate()).encode()).hexdigest()[:16]
    found["random of NumPy"] = digest(np.random.get_state()[1])
    found["random of Keras"] = digest(keras.random.SeedGenerator().state.numpy())
    return found


def child(recorded: bool, report: Path, script: str, arguments: list[str]) -> None:
    """Run the script, and write down what each call of `fit` leaves behind."""
    import keras  # noqa: PLC0415

    from tb_convergence.keras import ConvergenceCallback  # noqa: PLC0415

    states: list[dict[str, str]] = []
    callbacks: list[ConvergenceCallback] = []
    original = keras.Model.fit
    folder = tempfile.mkdtemp(prefix="identity-")

    def fit(model: Any, *args: Any, **kwargs: Any) -> Any:
        if recorded:
            callback = ConvergenceCallback(os.path.join(folder, str(len(states))))
            given = kwargs.get("callbacks")
            if isinstance(given, keras.callbacks.CallbackList):
                given.append(callback)
            else:
                several = isinstance(given, (list, tuple))
                kwargs["callbacks"] = [*(given if several else filter(None, [given])), callback]
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

    keras.utils.set_random_seed(0)
    keras.Model.fit = fit
    sys.argv = [script, *arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        reasons = [callback.disabled_reason for callback in callbacks]
        report.write_text(json.dumps({"states": states, "disabled": reasons}))


def run(recorded: bool, folder: Path, script: str, arguments: list[str]) -> dict[str, Any]:
    """The report of one run of the script in a process of its own."""
    report = folder / f"{recorded}-{random.random()}.json"
    command = [sys.executable, "-m", "tests.identity", "--report", str(report)]
    command += ["--recorded"] if recorded else []
    done = subprocess.run(
        [*command, script, *arguments],
        env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=False,
    )
    if not report.exists():
        sys.exit(f"{script} did not run:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def differences(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """What two reports differ in, in words."""
    one, other = first["states"], second["states"]
    if len(one) != len(other):
        return [f"{len(one)} calls of fit against {len(other)}"]
    return [
        f"call {index} of fit: {name}"
        for index, (a, b) in enumerate(zip(one, other, strict=True))
        for name in sorted({*a, *b})
        if a.get(name) != b.get(name)
    ]


def compare(script: str, arguments: list[str]) -> int:
    """Run the script three times and print what differs."""
    with tempfile.TemporaryDirectory() as folder:
        plain, again, recorded = (
            run(with_us, Path(folder), script, arguments) for with_us in (False, False, True)
        )
    calls = len(plain["states"])
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
    print(f"{script}: identical in {calls} call(s) of fit, {len(plain['states'][-1])} values")
    return 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.identity", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("--report", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--recorded", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("script", help="a program that trains with Model.fit")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of the program")
    given = parser.parse_args()
    if given.report is None:
        return compare(given.script, given.arguments)
    child(given.recorded, given.report, given.script, given.arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
