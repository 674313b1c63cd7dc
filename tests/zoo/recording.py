"""Trains programs and keeps what was recorded: `python -m zoo.recording CACHE [CASES DATA]`.

Each line of the input is a task and its folder, `name:twin:seed folder`; each line of the output
says that one is done. A recording is a folder: event files, and `facts.json` with score, time and
steps. It is complete exactly when that file exists, so an interrupted zoo goes on where it stopped.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zoo.task import Task

FACTS = "facts.json"


def record(task: Task, folder: Path, cases: Any = None) -> dict[str, Any]:
    """Train one task with the callback at its defaults, and write down how it went."""
    import keras  # noqa: PLC0415 - slow, and only needed where something is trained

    from tb_convergence.keras import ConvergenceCallback  # noqa: PLC0415

    keras.backend.clear_session()
    keras.utils.set_random_seed(task.seed)
    training = _training(task, cases)
    shutil.rmtree(folder, ignore_errors=True)
    callback = ConvergenceCallback(folder)
    start = time.monotonic()
    fitted = training.model.fit(
        training.x, training.y, batch_size=training.batch_size, epochs=training.epochs,
        shuffle=training.shuffle, validation_data=training.validation, verbose=0,
        class_weight=training.class_weight, callbacks=[*training.callbacks, callback],
    )
    facts = {
        "task": str(task),
        "score": training.judge(training.model),
        "seconds": round(time.monotonic() - start, 2),
        "steps": int(training.model.optimizer.iterations.numpy()),
        "loss": [float(value) for value in fitted.history["loss"]],
        "disabled": callback.disabled_reason,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FACTS).write_text(json.dumps(facts))
    return facts


def _training(task: Task, cases: Any) -> Any:
    if task.published:
        return cases.training(task.name, task.sick)
    from zoo.catalogue import PROGRAMS  # noqa: PLC0415 - imports Keras

    return PROGRAMS[task.name].build(task.sick)


def main(cache: str, tasks: Iterable[str], where: list[str]) -> None:
    """Record every task of the input; a failure is one line, and the others go on."""
    cases = None
    if where:
        from zoo.published import Cases  # noqa: PLC0415

        cases = Cases(Path(where[0]), Path(where[1]))
    for line in tasks:
        text, _, folder = line.strip().partition(" ")
        task = Task.parse(text)
        try:
            facts = record(task, Path(cache) / folder, cases)
            sys.stdout.write(f"done {task} {facts['score']:.3f} {facts['seconds']:.1f}\n")
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            sys.stdout.write(f"failed {task} {reason}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(sys.argv[1], sys.stdin, sys.argv[2:])
