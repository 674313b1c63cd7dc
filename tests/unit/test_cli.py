"""The command line on real event files: what it prints, how it ends, what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import reports

from tb_convergence import cli, reading
from tb_convergence.cli import output
from tb_convergence.cli.diagnose import verdict
from tb_convergence.cli.selection import did_you_mean, matches
from tb_convergence.core.diagnosis import RunDiagnosis
from tb_convergence.core.gaps import Skipped
from tb_convergence.reading import DataUnavailableError, LogdirError
from tests.serving.event_logs import write

Read = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sick and a fine run in event files."""
    logdir = tmp_path_factory.mktemp("logs")
    write(logdir, reports.sick("sweep/lr-0.1"))
    write(logdir, reports.fine("sweep/lr-0.01"))
    return logdir


def diagnose(logs: Path, *more: str) -> int:
    return cli.main(["diagnose", str(logs), "--loader", "python", *more])


# Formats ------------------------------------------------------------------------------------------


def test_json_is_the_documented_document(logs: Path, capsys: Read) -> None:
    assert diagnose(logs, "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    fine, sick = document["runs"]
    assert set(sick) == {
        "run", "last_step", "axis", "loss_summary", "course", "verdict", "fix_first", "findings",
        "not_evaluated", "skipped", "tag_families", "scalars", "earlier_trainings",
        "trainable_changes", "sampled", "recipes",
    }
    assert sick["run"] == "sweep/lr-0.1"
    assert sick["findings"][0]["id"] == "unnormalized-input"
    assert sick["findings"][0]["explains"] == ["loss-not-decreasing"]
    assert fine["findings"] == []
    assert set(fine["verdict"]) == {"state", "decided", "applicable", "why"}
    assert (fine["verdict"]["state"], sick["verdict"]["state"]) == ("nothing-found", "sick")


def test_text_puts_the_symptom_beneath_its_cause(logs: Path, capsys: Read) -> None:
    assert diagnose(logs) == 0
    text = capsys.readouterr().out
    assert text.index("unnormalized-input") < text.index("explains loss-not-decreasing")
    assert "try: Standardize" in text
    assert "✔ nothing found" in text
    assert "2 runs: 1 sick (1 critical), 1 nothing found" in text
    assert "\x1b[" not in text, "no color when the output is not a terminal"


def test_verbose_shows_evidence_and_what_was_not_evaluated(logs: Path, capsys: Read) -> None:
    assert diagnose(logs, "-v") == 0
    text = capsys.readouterr().out
    seen = "seen: RMS of the largest feature 500 (b), suspect if more than 10"
    assert seen in " ".join(text.split())
    assert "not evaluated" in text
    assert "needs config" in text


@pytest.mark.parametrize(
    ("form", "first"),
    [("markdown", "### Convergence"), ("html", "<!doctype html>"), ("json", "{"),
     ("text", "sweep/lr-0.01")],
)
def test_output_is_what_would_have_been_printed(
    logs: Path, capsys: Read, tmp_path: Path, form: str, first: str
) -> None:
    assert diagnose(logs, "--format", form) == 0
    printed = capsys.readouterr().out
    file = tmp_path / "report"
    assert diagnose(logs, "--format", form, "-o", str(file)) == 0
    assert capsys.readouterr().out == ""
    assert file.read_text(encoding="utf-8") == printed
    assert printed.startswith(first)


def test_over_time_says_when_a_finding_could_be_told(logs: Path, capsys: Read) -> None:
    assert diagnose(logs, "--format", "json", "--over-time", "--only", "0.1") == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    steps = {f["id"]: f["reported_step"] for f in run["findings"]}
    assert 0 <= steps["unnormalized-input"] <= steps["loss-not-decreasing"] <= 199
    assert diagnose(logs, "--over-time", "--only", "0.1") == 0
    assert f"could be reported at step {steps['unnormalized-input']}" in capsys.readouterr().out


# How it ends --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ((), 0),
        (("--fail-on", "warning"), 3),
        (("--fail-on", "critical"), 3),
        (("--fail-on", "critical", "--only", "0.01"), 0),
        (("--only", "absent"), 2),
        (("--output", "/no/such/folder/report"), 2),
    ],
)
def test_exit_status(logs: Path, more: tuple[str, ...], status: int, capsys: Read) -> None:
    assert diagnose(logs, *more) == status
    error = capsys.readouterr().err
    assert error.count("\n") == (status != 0)


def test_the_process_ends_with_the_status_and_still_prints(logs: Path) -> None:
    command = [sys.executable, "-m", "tb_convergence", "diagnose", str(logs), "--loader", "python",
               "--fail-on", "warning", "--format", "markdown"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == output.FOUND == 3
    assert result.stdout.startswith("### Convergence")
    assert result.stderr == (
        "tb-convergence: a finding of warning or worse in sweep/lr-0.1\n"
    )


def test_a_reader_that_leaves_changes_no_status(logs: Path) -> None:
    command = (f'"{sys.executable}" -m tb_convergence diagnose "{logs}" --loader python '
               "--fail-on warning --format html | true; echo ${PIPESTATUS[0]}")
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert result.stdout == "3\n"
    assert "Traceback" not in result.stderr
    assert "BrokenPipe" not in result.stderr


def test_a_terminal_that_knows_no_signs_gets_their_escapes(logs: Path) -> None:
    code = "import sys; from tb_convergence.cli import main; sys.exit(main(sys.argv[1:]))"
    result = subprocess.run(
        [sys.executable, "-c", code, "diagnose", str(logs), "--loader", "python"],
        capture_output=True, check=False, env={"PYTHONIOENCODING": "ascii", "PYTHONPATH":
                                               ":".join(sys.path)},
    )
    assert result.returncode == 0, result.stderr
    assert b"\\u2716 unnormalized-input" in result.stdout


def run(severity: str | None, last_step: int = 10) -> RunDiagnosis:
    finding = reports.diagnosed(reports.sick())[0].findings[0]
    found = () if severity is None else (replace(finding, severity=severity),)
    return RunDiagnosis("a", last_step, found, (), ())


@pytest.mark.parametrize(
    ("runs", "fail_on", "status"),
    [
        ([run("critical")], "warning", 3),
        ([run("warning")], "warning", 3),
        ([run("warning")], "critical", 0),
        ([run(None)], "warning", 0),
        ([run(None), run("critical")], "critical", 3),
        ([run(None), run(None, -1)], "warning", 1),
        ([run("critical"), run(None, -1)], "warning", 3),
    ],
)
def test_verdict(runs: list[RunDiagnosis], fail_on: str, status: int, capsys: Read) -> None:
    assert verdict(runs, fail_on) == status
    assert capsys.readouterr().err.count("\n") == (status != 0)


def test_a_missing_directory_is_one_clear_line(capsys: Read) -> None:
    assert cli.main(["diagnose", "/no/such/\x1b[31mdirectory"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "/no/such/" in error
    assert "\x1b" not in error


def test_a_lost_data_server_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: Read
) -> None:
    def gone(*args: object, **kwargs: object) -> None:
        raise DataUnavailableError("connection refused")

    monkeypatch.setattr(reading, "each_run", gone)
    assert cli.main(["diagnose", "logs"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--loader python" in error


def test_an_unreadable_run_is_named_and_fails_a_check(
    monkeypatch: pytest.MonkeyPatch, capsys: Read
) -> None:
    lost = RunDiagnosis("lost", -1, (), (), (Skipped("", None, "could not be read: a bug"),))
    monkeypatch.setattr(reading, "each_run", lambda _, work, **k: iter([work(lost, None)]))
    for form in ("text", "json", "markdown", "html"):
        assert cli.main(["diagnose", "logs", "--format", form, "--fail-on", "critical"]) == 1
        captured = capsys.readouterr()
        assert "could not be read" in captured.out, form
        assert "there is no data in lost" in captured.err


def test_logdir_error_is_a_value_error() -> None:
    assert issubclass(LogdirError, ValueError)


# Which runs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("sweep/lr-0.1", "lr", True),
        ("sweep/lr-0.1", "LR", False),
        ("sweep/lr-0.1", "sweep*", True),
        ("sweep/lr-0.1", "*0.1", True),
        ("sweep/lr-0.1", "lr*", False),
        ("sweep/lr-0.1", "*lr*1*", True),
        ("sweep/lr-0.1", "*1*lr*", False),
        ("aa", "a*a", True),
        ("a", "a*a", False),
        ("a.b", "a?b", False),
        ("a[1]", "[1]", True),
        ("anything", "*", True),
        ("", "*", True),
    ],
)
def test_patterns(name: str, pattern: str, expected: bool) -> None:
    assert matches(name, pattern) is expected


def test_no_pattern_is_slow() -> None:
    """A pattern that takes a backtracking matcher forever: 2^30 ways to split the name."""
    assert not matches("a" * 100_000, "*a" * 1_000 + "*b")


def test_only_the_chosen_runs_are_read(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: Read
) -> None:
    read: list[str] = []
    original: Callable[..., object] = reading.prefetch.read_folded

    def watched(source: object, run: reading.runs.FoldedRun) -> object:
        read.append(run.name)
        return original(source, run)

    monkeypatch.setattr(reading.prefetch, "read_folded", watched)
    assert diagnose(logs, "--only", "*-0.01", "--only", "nothing") == 0
    assert read == ["sweep/lr-0.01"]
    assert "lr-0.1 " not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wanted", "known", "words"),
    [("lr-0.l", ["lr-0.1", "other"], "did you mean 'lr-0.1'?"), ("x", ["a"], "there is 'a'"),
     ("x", list("abcdefg"), "and 2 more")],
)
def test_did_you_mean(wanted: str, known: list[str], words: str) -> None:
    assert words in did_you_mean(wanted, known)


# Help and imports ---------------------------------------------------------------------------------

COMMANDS = ("diagnose", "compare", "rules", "explain", "demo")


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help(command: tuple[str, ...], capsys: Read) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, "--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert "usage: tb-convergence" in shown
    assert command or all(name in shown for name in COMMANDS)


def test_diagnosing_loads_no_tensorflow(logs: Path) -> None:
    code = (
        "import sys; from tb_convergence.cli import main; main(sys.argv[1:]); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    command = [sys.executable, "-c", code, "diagnose", str(logs), "--format", "html"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
