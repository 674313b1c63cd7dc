"""The doctor on published faulty programs: is it as good as the developers' fix? (B12)

    python -m benchmarks.doctored --cases cases.json --data folder [--seconds 90] [--only ID]

The form of the file is that of `tests/zoo/published.py`; neither the file nor the arrays are part
of this project. Each program is trained as published, with its published fix, and with what the
doctor proves; all three in full length, from the same start, judged on the same samples. All
seconds are the processor's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

WITHIN_ACCURACY = 0.02
WITHIN_LOSS = 0.10


def as_good(measure: str, ours: float, published: float) -> bool:
    """Accuracy within .02 of the published fix's, or a loss (1 - R2) at most a tenth larger."""
    if measure == "accuracy":
        return ours >= published - WITHIN_ACCURACY
    return (1 - ours) <= (1 - published) * (1 + WITHIN_LOSS)


def judged(training: Any, changes: Any, epochs: int) -> tuple[float, float, str, int]:
    """Score of a training in full length with `changes`, its seconds, the measure, and the steps.
    """
    from tb_convergence.experiments.session import subject  # noqa: PLC0415
    from tb_convergence.experiments.trials import Bench  # noqa: PLC0415

    with subject(training.model, training.x, training.y, batch_size=training.batch_size,
                 validation_data=training.validation or (training.x, training.y)) as found:
        steps = max(1, len(found.sample) // found.sample.batch_size) * epochs
        began = time.monotonic()
        trial = Bench(found).run(changes, (0,), steps)[0]
        seconds = time.monotonic() - began
        assert found.task is not None
        score = trial.score if trial.score == trial.score else found.task.baseline
        return max(score, found.task.baseline), seconds, found.task.measure, steps


def program(cases: Any, name: str, seconds: float) -> dict[str, Any]:
    """One program: sick, fixed, and doctored."""
    import keras  # noqa: PLC0415

    from tb_convergence.experiments import Settings, doctor  # noqa: PLC0415

    keras.utils.set_random_seed(0)
    sick = cases.training(name, True)
    keras.utils.set_random_seed(0)
    fixed = cases.training(name, False)
    before, whole, measure, steps = judged(sick, (), sick.epochs)
    published = judged(fixed, (), fixed.epochs)[0]
    began = time.monotonic()
    result = doctor(sick.model, sick.x, sick.y, batch_size=sick.batch_size, epochs=sick.epochs,
                    validation_data=sick.validation, settings=Settings(seconds, False))
    spent = time.monotonic() - began
    proof = result.proven
    ours = before if proof is None else judged(sick, proof.changes, sick.epochs)[0]
    return {
        "program": name, "measure": measure, "steps": steps, "unchanged": before,
        "published": published, "doctor": ours, "as_good": as_good(measure, ours, published),
        "change": "" if proof is None else ", ".join(one.id for one in proof.changes),
        "training_seconds": whole, "doctor_seconds": spent,
        "sick": cases.is_sick(name), "findings": [one.id for one in result.findings],
    }


def main() -> int:
    """Run the programs, print a table, and write the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.doctored", description=__doc__)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=90.0)
    parser.add_argument("--only", default="")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Seconds of the processor, so that other work on the machine does not count.
    time.monotonic = time.process_time
    from zoo.published import Cases  # noqa: PLC0415

    cases = Cases(options.cases, options.data)
    rows = []
    for name in cases.names():
        if options.only not in name:
            continue
        try:
            rows.append(program(cases, name, options.seconds))
        except Exception as error:
            rows.append({"program": name, "error": f"{type(error).__name__}: {error}"[:200]})
        print(json.dumps(rows[-1], default=float), flush=True)  # noqa: T201
        if options.output:
            options.output.write_text(json.dumps(rows, indent=1, default=float))
    done = [row for row in rows if "as_good" in row]
    good = sum(row["as_good"] for row in done)
    print(f"{good} of {len(rows)} as good as the published fix")  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
