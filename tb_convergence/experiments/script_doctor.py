"""`tb-convergence doctor train.py`: the doctor at the first `fit` of an unchanged script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tb_convergence.experiments.doctoring import doctor
from tb_convergence.experiments.learning_rate import lr_range_test
from tb_convergence.experiments.memorizing import overfit_small_sample
from tb_convergence.experiments.prescription import Prescription, change_lines
from tb_convergence.experiments.sample import Sample, gather
from tb_convergence.experiments.script import Fit, StopScriptError, run
from tb_convergence.experiments.session import Settings, held_out_of
from tb_convergence.experiments.source_edits import edited, unified


def sample_of(fit: Fit) -> tuple[Sample, Sample | None]:
    """The data of a call of `fit`; generators are read, for the script ends here."""
    given = fit.arguments
    sample = gather(
        given.get("x"), given.get("y"), sample_weight=given.get("sample_weight"),
        class_weight=given.get("class_weight"), batch_size=given.get("batch_size"), one_shot=True)
    held = given.get("validation_data")
    if held is not None and hasattr(held, "__next__"):
        held = gather(held, one_shot=True)
    share = given.get("validation_split") or 0.0
    if held is None and 0 < share < 1:
        from numpy import arange  # noqa: PLC0415 - one use

        cut = int(len(sample) * (1 - share))  # Keras holds out the last ones
        return sample.take(arange(cut)), sample.take(arange(cut, len(sample)))
    return sample, held_out_of(held)


def examine_fit(
    fit: Fit, settings: Settings, only: str = "", command: Sequence[str] = ("-m",)
) -> Any:
    """The doctor's result for a call of `fit` in the script `command`, or that of `only`."""
    sample, held = sample_of(fit)
    if only == "lr-range-test":
        return lr_range_test(fit.model, sample, settings=settings)
    if only == "small-sample":
        return overfit_small_sample(fit.model, sample, settings=settings)
    if only == "check-data":
        from tb_convergence.experiments.data_check import check_data  # noqa: PLC0415 - one of four

        return check_data(sample, validation_data=held, model=fit.model, settings=settings)
    if only == "gradient-check":
        from tb_convergence.experiments.gradients import gradient_check  # noqa: PLC0415

        return gradient_check(fit.model, sample, settings=settings)
    if only == "ablate":
        from tb_convergence.experiments.ablation import ablate  # noqa: PLC0415

        return ablate(fit.model, sample, validation_data=held, settings=settings)
    given = fit.arguments
    return doctor(
        fit.model, sample, validation_data=held, epochs=int(given.get("epochs") or 1),
        steps_per_epoch=given.get("steps_per_epoch"), shuffle=bool(given.get("shuffle", True)),
        settings=settings, diff_of=lambda result: patch(command, result)[0])


def doctor_script(command: Sequence[str], settings: Settings, only: str = "") -> Any:
    """Run the script to its first `fit` and examine that; None where it calls no `fit`.

    Raises:
        Exception: what the script raises before its first `fit`.
    """
    results: list[Any] = []

    def on_fit(fit: Fit) -> Any:
        results.append(examine_fit(fit, settings, only, command))
        raise StopScriptError

    run(command, on_fit)
    return results[0] if results else None


def patch(command: Sequence[str], result: Prescription) -> tuple[str, str]:
    """The proven change as a diff of the script and the whole changed script; ("", "") if none.

    Where the script has nothing that can be edited safely, the lines to put in by hand are comments
    of the diff.
    """
    proof = result.proven
    if proof is None or command[0] == "-m":
        return "", ""
    path = Path(command[0])
    source = path.read_text(encoding="utf-8")
    changed, by_hand = edited(source, proof.changes)
    diff = unified(source, changed, path.name)
    if by_hand:
        rest = [line for change in by_hand for line in change_lines_of(change)]
        diff += "".join(f"# by hand: {line}\n" for line in rest)
    return diff, changed if not by_hand else ""


def change_lines_of(change: Any) -> list[str]:
    """The lines of one change that could not be edited in."""
    from tb_convergence.experiments.prescription import code_of  # noqa: PLC0415

    return code_of(change)


__all__ = ["change_lines", "doctor_script", "examine_fit", "patch", "sample_of"]
