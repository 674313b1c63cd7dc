"""The doctor on published faulty programs: is it as good as the developers' fix? (B12)

    python -m benchmarks.doctored --cases cases.json --data folder [--seeds 0 1 2] [--only ID]

The form of the file is that of `tests/zoo/published.py`; neither the file nor the arrays are part
of this project. Each program is trained as published, with its published fix, and with what the
doctor proves; all three in full length, from the same start, judged on the same samples.

Cost is counted in training steps (evaluations of the gradient), because these programs train in
seconds: what tracing costs there says nothing about a training that takes an hour. The doctor may
make five times the steps of the training, its recording and its proof among them. CPU-seconds stand
beside it. The rival is a random search with as many steps: five trainings in full length, each with
one or two changes of the same catalogue, of which the best is taken.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

WITHIN_ACCURACY = 0.02
WITHIN_LOSS = 0.10
TIMES = 5


def as_good(measure: str, ours: float, published: float) -> bool:
    """Accuracy within .02 of the published fix's, or a loss (1 - R2) at most a tenth larger."""
    if measure == "accuracy":
        return ours >= published - WITHIN_ACCURACY
    return (1 - ours) <= (1 - published) * (1 + WITHIN_LOSS)


def steps_of(training: Any) -> int:
    """Steps of the whole training."""
    return max(1, len(training.x) // training.batch_size) * int(training.epochs)


def judged(training: Any, changes: Any, rival: int | None = None
           ) -> tuple[float, float, str, str]:
    """Score of a training in full length, its CPU-seconds, the measure, and what was changed.

    With `rival` the changes are those that a random search with this seed takes.
    """
    from tb_convergence.experiments.session import subject  # noqa: PLC0415
    from tb_convergence.experiments.trials import Bench  # noqa: PLC0415

    with subject(training.model, training.x, training.y, batch_size=training.batch_size,
                 validation_data=training.validation or (training.x, training.y)) as found:
        bench = Bench(found)
        assert found.task is not None
        steps, began = steps_of(training), time.process_time()
        tried = [changes] if rival is None else random_changes(found, rival)
        best, taken = -np.inf, ()
        for one in tried:
            try:
                trial = bench.run(one, (0,), steps)[0]
            except ValueError:  # it leaves nothing to change, and costs nothing
                continue
            score = max(np.nan_to_num(trial.score, nan=-np.inf), found.task.baseline)
            if score > best:
                best, taken = float(score), one
        return (best, time.process_time() - began, found.task.measure,
                ", ".join(change.id for change in taken))


def random_changes(found: Any, seed: int) -> list[Any]:
    """The unchanged program, and four times one or two changes that it leaves room for."""
    from tb_convergence.experiments import optimizers  # noqa: PLC0415
    from tb_convergence.experiments.changes import (  # noqa: PLC0415
        CHANGES,
        learning_rate,
    )
    from tb_convergence.experiments.edits import Edits, NotApplicableError  # noqa: PLC0415
    from tb_convergence.experiments.trials import Bench  # noqa: PLC0415

    random, bench = np.random.default_rng(seed), Bench(found)
    now = optimizers.rate_of(found.model.optimizer)
    known = [one for one in CHANGES if not one.control]
    picked: list[Any] = [()]
    while len(picked) < TIMES:
        rates = [learning_rate(now * 10 ** random.uniform(-3, 3)) for _ in range(4)]
        pool = [*known, *rates]
        some = [pool[int(place)] for place in random.permutation(len(pool))]
        one = tuple(some[: int(random.integers(1, 3))])
        if len({change.slot for change in one}) < len(one):
            continue
        try:
            with Edits() as edits:
                bench.setup(edits, one)
        except NotApplicableError:
            continue
        picked.append(one)
    return picked


def program(cases: Any, name: str, seed: int, rival: bool) -> dict[str, Any]:
    """One program: sick, fixed, and doctored."""
    import keras  # noqa: PLC0415

    from tb_convergence.experiments import Settings, doctor  # noqa: PLC0415

    def made(sick: bool) -> Any:
        keras.utils.set_random_seed(seed)
        return cases.training(name, sick)

    sick = made(True)
    steps = steps_of(sick)
    before, whole, measure, _ = judged(sick, ())
    published = judged(made(False), ())[0]
    began = time.process_time()
    result = doctor(sick.model, sick.x, sick.y, batch_size=sick.batch_size, epochs=sick.epochs,
                    validation_data=sick.validation,
                    settings=Settings(3600.0, False, None, TIMES * steps))
    spent = time.process_time() - began
    proof = result.proven
    ours = before if proof is None else judged(sick, proof.changes)[0]
    row = {
        "program": name, "seed": seed, "measure": measure, "steps": steps, "unchanged": before,
        "published": published, "doctor": ours, "as_good": as_good(measure, ours, published),
        "change": "" if proof is None else ", ".join(one.id for one in proof.changes),
        "doctor_steps": result.steps, "times": result.steps / steps,
        "training_seconds": whole, "doctor_seconds": spent,
        "sick": cases.is_sick(name), "findings": [one.id for one in result.findings],
    }
    if rival:
        random, _, _, change = judged(made(True), (), seed)
        row |= {"random": random, "random_change": change,
                "random_as_good": as_good(measure, random, published)}
    return row


def table(rows: list[dict[str, Any]]) -> list[str]:
    """A Markdown table, and one line of what follows."""
    lines = ["| program | seed | unchanged | published fix | doctor | change | steps, in trainings "
             "| CPU-seconds | as good | random search |",
             "|---|---|---|---|---|---|---|---|---|---|"]
    for row in rows:
        if "error" in row:
            lines.append(f"| {row['program']} | {row['seed']} | {row['error']} |||||||| ")
            continue
        lines.append(
            f"| {row['program'].split('/')[-1]} | {row['seed']} | {row['unchanged']:.3f} | "
            f"{row['published']:.3f} | {row['doctor']:.3f} | {row['change'] or 'none proven'} | "
            f"{row['times']:.1f} | {row['doctor_seconds']:.0f} | "
            f"{'yes' if row['as_good'] else 'no'} | {row.get('random', float('nan')):.3f} |")
    done = [row for row in rows if "as_good" in row]
    for kind, key in (("doctor", "as_good"), ("random search", "random_as_good")):
        known = [row[key] for row in done if key in row]
        if known:
            lines.append(f"{kind}: {sum(known)} of {len(rows)} as good as the published fix")
    return lines


def main() -> int:
    """Run the programs, print a table, and write the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.doctored", description=__doc__)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rival", action="store_true", help="random search beside it")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from zoo.published import Cases  # noqa: PLC0415

    cases = Cases(options.cases, options.data)
    rows: list[dict[str, Any]] = []
    for seed in options.seeds:
        for name in cases.names():
            if options.only and not any(part in name for part in options.only):
                continue
            try:
                rows.append(program(cases, name, seed, options.rival))
            except Exception as error:
                rows.append({"program": name, "seed": seed,
                             "error": f"{type(error).__name__}: {error}"[:200]})
            print(json.dumps(rows[-1], default=float), flush=True)  # noqa: T201
            if options.output:
                options.output.write_text(json.dumps(rows, indent=1, default=float))
    print("\n".join(table(rows)))  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
