"""The doctor on published faulty programs: is it as good as the developers' fix? (B12)

    python -m benchmarks doctor --cases cases.json --data folder [--seeds 0 1 2]
    python -m benchmarks.doctored --cases cases.json --data folder [--rival] [--output FILE]

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

from benchmarks.report import Options, Table, say

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
    from tb_convergence.experiments.bench import Bench  # noqa: PLC0415
    from tb_convergence.experiments.session import subject  # noqa: PLC0415

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
    from tb_convergence.experiments.bench import Bench  # noqa: PLC0415
    from tb_convergence.experiments.changes import (  # noqa: PLC0415
        CHANGES,
        learning_rate,
    )
    from tb_convergence.experiments.edits import Edits, NotApplicableError  # noqa: PLC0415

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


TITLE = "The doctor on published faulty programs"


def table(rows: list[dict[str, Any]]) -> Table:
    """One line for each program and seed, and what follows from all."""
    lines = []
    for row in rows:
        name = row["program"].split("/")[-1]
        if "error" in row:
            lines.append((name, str(row["seed"]), row["error"], *[""] * 7))
            continue
        random = f"{row['random']:.3f}" if "random" in row else ""
        lines.append((
            name, str(row["seed"]), f"{row['unchanged']:.3f}", f"{row['published']:.3f}",
            f"{row['doctor']:.3f}", row["change"] or "none proven", f"{row['times']:.1f}",
            f"{row['doctor_seconds']:.0f}", "yes" if row["as_good"] else "no", random))
    done = [row for row in rows if "as_good" in row]
    good = sum(row["as_good"] for row in done)
    times = [row["times"] for row in done] or [float("nan")]
    text = (f"{good} of {len(rows)} as good as the published fix (accuracy within 0.02, or 1 - R² "
            f"at most a tenth larger). The cost is {np.median(times):.1f} times the steps of the "
            f"training in the median, and {max(times):.1f} times at most. Goal: 80% at 5 times.")
    known = [row["random_as_good"] for row in done if "random_as_good" in row]
    if known:
        text += f" Random search with as many steps: {sum(known)} of {len(known)}."
    return Table(TITLE, text, (
        "program", "seed", "unchanged", "published fix", "doctor", "change", "steps, in trainings",
        "CPU-seconds", "as good", "random search"), lines)


def measured(options: Options, only: list[str], rival: bool, output: Path | None
             ) -> list[dict[str, Any]]:
    """Figures of all programs and seeds; those in `output` are not measured again."""
    from zoo.published import Cases  # noqa: PLC0415

    assert options.cases is not None
    assert options.data is not None
    cases = Cases(options.cases, options.data)
    rows: list[dict[str, Any]] = []
    if output is not None and output.exists():
        rows = json.loads(output.read_text())
    known = {(row["program"], row["seed"]) for row in rows}
    for seed in options.seeds[: 1 if options.quick else None]:
        for name in cases.names()[: 1 if options.quick else None]:
            if (name, seed) in known or (only and not any(part in name for part in only)):
                continue
            say(f"doctor: {name}, seed {seed}")
            try:
                rows.append(program(cases, name, seed, rival))
            except Exception as error:
                rows.append({"program": name, "seed": seed,
                             "error": f"{type(error).__name__}: {error}"[:200]})
            if output is not None:
                output.write_text(json.dumps(rows, indent=1, default=float))
    return rows


def doctored(options: Options) -> Table:
    """The table of the page."""
    return table(measured(options, [], False, None))


def main() -> int:
    """Run the programs and print a table; what the output file holds is not run again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.doctored", description=__doc__)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rival", action="store_true", help="random search beside it")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--output", type=Path, help="JSON file of all figures; goes on from it")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    given = Options(False, options.cases, options.data, tuple(options.seeds))
    print(table(measured(given, options.only, options.rival, options.output)).as_markdown())  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
