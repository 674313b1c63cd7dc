"""`tb-convergence doctor train.py`: the doctor at the first `fit` of an unchanged script."""

from __future__ import annotations

import importlib.util
import os
import tokenize
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
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
        return sample.part(arange(cut)), sample.part(arange(cut, len(sample)))
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
    result = doctor(
        fit.model, sample, validation_data=held,
        epochs=max(1, int(given.get("epochs") or 1) - int(given.get("initial_epoch") or 0)),
        steps_per_epoch=given.get("steps_per_epoch"), shuffle=bool(given.get("shuffle", True)),
        settings=settings, diff_of=lambda result: patch(command, result)[0])
    return replace(result, notes=_left_out(given.get("callbacks")))


def _left_out(callbacks: Any) -> tuple[str, ...]:
    """What is said of callbacks: trials are made without them."""
    given = getattr(callbacks, "callbacks", callbacks) or ()
    names = dict.fromkeys(type(one).__name__ for one in (
        given if isinstance(given, (list, tuple)) else [given]))
    known = [name for name in names if name not in _HARMLESS]
    return (f"all trainings were made without the callbacks of fit: {', '.join(known)}",
            ) if known else ()


_HARMLESS = ("History", "ProgbarLogger", "TensorBoard", "CSVLogger", "ModelCheckpoint",
             "ConvergenceCallback", "TerminateOnNaN", "BackupAndRestore")
"""Callbacks that change no training."""


class NotExaminedError(ValueError):
    """A script that was not examined; the message says why."""


def doctor_script(command: Sequence[str], settings: Settings, only: str = "") -> Any:
    """Run the script to its first `fit` and examine that; None if it calls no `fit`.

    Raises:
        ScriptFailedError: the script raises an exception before its first `fit`.
        NotExaminedError: the script ends before, with an error status, or its model or data
            cannot be examined.
    """
    results: list[Any] = []
    failures: list[Exception] = []
    command = absolute(command)
    settings = replace(settings, log_dir=_absolute(settings.log_dir),
                       resume=_absolute(settings.resume))

    def on_fit(fit: Fit) -> Any:
        if results or failures:  # a bare `except` of the script has swallowed the end
            raise StopScriptError
        try:
            results.append(examine_fit(fit, settings, only, command))
        except Exception as error:  # the script's own `except` must not swallow it
            failures.append(error)
        raise StopScriptError

    status, _ = run(command, on_fit)
    if failures:
        raise NotExaminedError(_one_line(failures[0])) from failures[0]
    if not results and status:
        raise NotExaminedError(
            f"the script ended with status {status} before it called fit; pass its arguments as "
            "well: tb-convergence doctor SCRIPT ARGS")
    return results[0] if results else None


def _one_line(error: Exception) -> str:
    """Our own refusals as they are; of other errors the kind and the first line."""
    text = str(error).strip()
    if isinstance(error, ValueError) and type(error).__module__.startswith("tb_convergence."):
        return text
    return (f"the model cannot be examined ({type(error).__name__}: "
            f"{text.splitlines()[0][:300] if text else 'no message'})")


def absolute(command: Sequence[str]) -> list[str]:
    """The command with the whole path of its script: the script may change the directory."""
    return list(command) if command[0] == "-m" else [os.path.abspath(command[0]), *command[1:]]


def _absolute(path: str | os.PathLike[str] | None) -> str | os.PathLike[str] | None:
    return path if path is None or "://" in os.fspath(path) else os.path.abspath(path)


_MODULES: dict[str, Path] = {}
"""Files of modules that were found."""


def source_of(command: Sequence[str]) -> Path | None:
    """The file of the script or module; None if there is none to edit."""
    if command[0] != "-m":
        return Path(command[0])
    module = command[1]
    with suppress(ImportError, ValueError, AttributeError):
        found = importlib.util.find_spec(module)
        if found is not None and found.submodule_search_locations is not None:
            found = importlib.util.find_spec(f"{module}.__main__")
        if found is not None and found.origin and found.origin.endswith(".py"):
            _MODULES[module] = Path(found.origin)
    # While the script runs, its directory is on the path; afterwards it is not.
    return _MODULES.get(module)


def patch(command: Sequence[str], result: Prescription) -> tuple[str, str]:
    """The proven change as a diff of the script and the whole changed script; ("", "") if none.

    Where the script has nothing that can be edited safely, the lines to put in by hand are comments
    of the diff.
    """
    proof = result.proven
    path = source_of(command)
    if proof is None or path is None:
        return "", ""
    try:
        source = path.read_bytes().decode(encoding_of(path))
    except (OSError, SyntaxError, UnicodeDecodeError):  # it ran: it has changed in the meantime
        return "", ""
    source = source.replace("\r\n", "\n")
    changed, by_hand = edited(source, proof.changes)
    diff = unified(source, changed, path.name)
    if by_hand:
        rest = [line for change in by_hand for line in change_lines_of(change)]
        diff += "".join(f"# by hand: {line}\n" for line in rest)
    return diff, changed if not by_hand else ""


def encoding_of(path: Path) -> str:
    """How a script is encoded: as its first lines say, UTF-8 by default.

    Raises:
        OSError, SyntaxError: it cannot be read, or they name no encoding.
    """
    with path.open("rb") as file:
        return tokenize.detect_encoding(file.readline)[0]


def write_changed(command: Sequence[str], changed: str, path: str) -> None:
    """Write the changed script, in the encoding of the original.

    Raises:
        OSError: the file cannot be written.
    """
    source = source_of(command)
    Path(path).write_text(changed, encoding="utf-8" if source is None else encoding_of(source))


def change_lines_of(change: Any) -> list[str]:
    """The lines of one change that could not be edited in."""
    from tb_convergence.experiments.prescription import code_of  # noqa: PLC0415

    return code_of(change)


__all__ = ["change_lines", "doctor_script", "examine_fit", "patch", "sample_of",
           "write_changed"]
