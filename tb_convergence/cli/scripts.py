"""`tb-convergence run` and `doctor`: run an unchanged training script, and record or examine it."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from tb_convergence.cli import output
from tb_convergence.cli.wording import printable

EXPERIMENTS = ("lr-range-test", "small-sample", "ablate", "check-data", "gradient-check")
LOOP = ("the script does not call fit of a Keras model; in a custom training loop, add: "
        "recorder = tb_convergence.ConvergenceRecorder(\"logs/run1\", model) and "
        "recorder.apply(optimizer, gradients, loss=loss)")


def add(commands: Any) -> None:
    """Add both commands to the parser's `commands`."""
    run: argparse.ArgumentParser = commands.add_parser(
        "run",
        help="run an unmodified training script and record each fit",
        description=(
            "Run a Python training script with ConvergenceCallback attached to each fit of a Keras "
            "model. The script needs no changes."
        ),
    )
    run.add_argument("--logdir", metavar="DIR", default="logs/run",
                     help="folder of the run (default: logs/run)")
    _add_script(run)
    run.set_defaults(command=_run)

    doctor: argparse.ArgumentParser = commands.add_parser(
        "doctor",
        help="find out why a training script does not converge, and prove a fix",
        description=(
            "Run a Python training script up to its first fit, and record a short training. Then "
            "try changes that distinguish the candidate causes, and compare the best one with the "
            "unchanged program over three seeds. The command prints the findings, the trials, and "
            "the changed lines."
        ),
        epilog=(
            "exit status: 0 a fix is proven, or none is needed; 1 nothing helped, or the script "
            "does not call fit; 2 usage error"
        ),
    )
    doctor.add_argument("--seconds", type=_seconds, metavar="N",
                        help="budget in seconds (default: five times the training, at least 90)")
    doctor.add_argument("--steps", type=_steps, metavar="N",
                        help="budget in training steps (default: five times the training; for a "
                        "short training 15 times, up to 6,000)")
    doctor.add_argument("--only", choices=EXPERIMENTS, help="run only this experiment")
    doctor.add_argument("--logdir", metavar="DIR",
                        help="the run's folder, for the recording and the result")
    doctor.add_argument("--resume", metavar="FILE",
                        help="keep finished trainings in FILE until the experiment ends, so that "
                        "a new start does not repeat them (default: in --logdir)")
    doctor.add_argument("--write", metavar="FILE", help="write the changed script to FILE")
    _add_script(doctor)
    doctor.set_defaults(command=_doctor)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of seconds above 0")
    return value


def _steps(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected at least 1 step")
    return value


def _add_script(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-m", dest="module", metavar="MODULE",
                        help="run a module, as python -m does; its arguments follow")
    parser.add_argument("script", nargs=argparse.REMAINDER, metavar="SCRIPT ARGS",
                        help="the script and its arguments")


def _command(options: argparse.Namespace) -> list[str]:
    """The command line of the script; [] if none is given."""
    rest = list(options.script)
    return ["-m", options.module, *rest] if options.module else rest


def _missing(command: Sequence[str], name: str) -> str:
    """The problem with the command; "" if there is none."""
    if not command:
        return f"no script given: for example, tb-convergence {name} train.py ARGS"
    if command[0] != "-m" and not os.path.isfile(command[0]):
        return f"no such script: {command[0]!r}"
    return ""


def _run(options: argparse.Namespace) -> int:
    command = _command(options)
    wrong = _missing(command, "run")
    if wrong:
        return output.complain(printable(wrong), output.USAGE)
    script = import_module("tb_convergence.experiments.script")
    try:
        status, calls = script.record_script(command, options.logdir)
    except script.ScriptFailedError as error:
        output.emit_error(error.report())
        return output.complain(f"the script failed; calls of fit recorded before: {error.calls}",
                               output.UNAVAILABLE)
    if not calls and status:
        return output.complain(f"{printable(command[0])} ended with status {status} before it "
                               "called fit", int(status))
    if not calls:
        return output.complain(f"{printable(command[0])}: {LOOP}", output.UNAVAILABLE)
    output.emit(f"Recorded {calls} call{'s' * (calls != 1)} of fit in "
                f"{printable(options.logdir)}. Next: tb-convergence diagnose "
                f"{printable(options.logdir)}\n")
    return int(status)


def _doctor(options: argparse.Namespace) -> int:
    command = _command(options)
    wrong = _missing(command, "doctor")
    if not wrong and options.write and not os.path.isdir(
            os.path.dirname(os.path.abspath(options.write))):
        wrong = f"--write {options.write}: there is no such folder"
    if wrong:
        return output.complain(printable(wrong), output.USAGE)
    experiments = import_module("tb_convergence.experiments.script_doctor")
    settings = import_module("tb_convergence.experiments.session").Settings(
        options.seconds, True, options.logdir, options.steps, options.resume)
    script = import_module("tb_convergence.experiments.script")
    try:
        result = experiments.doctor_script(command, settings, options.only or "")
    except script.ScriptFailedError as error:
        output.emit_error(error.report())
        return output.complain("the script failed before it called fit", output.UNAVAILABLE)
    except ValueError as error:
        return output.complain(printable(str(error)), output.UNAVAILABLE)
    if result is None:
        return output.complain(f"{printable(command[0])}: {LOOP}", output.UNAVAILABLE)
    output.emit(_shown(str(result)))
    if options.only:
        return 0
    return _told(experiments, command, result, options.write)


def _told(experiments: Any, command: Sequence[str], result: Any, write: str | None) -> int:
    """Print the changed lines; the exit status."""
    diff, changed = experiments.patch(command, result)
    if diff:
        output.emit(f"\nThe change:\n{_shown(diff)}")
    elif result.proven is not None:
        lines = experiments.change_lines(result.proven)
        output.emit("\nThe change:\n" + "".join(f"    {line}\n" for line in lines))
    if write and changed:
        try:
            experiments.write_changed(command, changed, write)
        except (OSError, ValueError, SyntaxError) as error:
            return output.complain(f"cannot write {printable(write)}: {printable(str(error))}",
                                   output.UNAVAILABLE)
        output.emit(f"Written: {printable(write)}\n")
    elif write:
        output.complain("the script could not be changed automatically; make the change by hand", 0)
    return 0 if result.proven is not None or "Nothing to fix" in result.summary else (
        output.UNAVAILABLE)


def _shown(text: str) -> str:
    return "\n".join(printable(line) for line in text.splitlines()) + "\n"
