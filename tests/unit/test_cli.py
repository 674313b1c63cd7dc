"""The command line: what it prints, what it refuses, and that it loads no TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import histories as draw
import numpy as np
import pytest

from tb_convergence import cli, reading
from tb_convergence.core.diagnosis import RunDiagnosis, diagnose_history
from tb_convergence.core.history import Skipped
from tb_convergence.reading import DataUnavailableError, LogdirError


@pytest.fixture
def sick() -> RunDiagnosis:
    base = draw.healthy()
    table = base.tables["inputs"]
    values = np.array(table.low)
    values[:, 1, table.columns.index("feature_std")] = 500.0
    broken = replace(table, low=values, high=values)
    history = replace(
        base,
        tables={**base.tables, "inputs": broken, "run": draw.run_table(draw.flat())},
        skipped=(Skipped("convergence/run/x", 3, "checksum"),),
    )
    return diagnose_history(history)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, sick: RunDiagnosis) -> tuple[RunDiagnosis, ...]:
    runs = (sick, diagnose_history(replace(draw.healthy(), run="fine")))
    monkeypatch.setattr(reading, "diagnose", lambda *args, **kwargs: runs)
    return runs


@pytest.mark.usefixtures("found")
def test_json_is_the_documented_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diagnose", "logs", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    first, fine = document["runs"]
    assert set(first) == {"run", "last_step", "findings", "not_evaluated", "skipped"}
    assert first["findings"][0]["id"] == "unnormalized-input"
    assert first["findings"][0]["explains"] == ["loss-not-decreasing"]
    assert first["skipped"] == [{"tag": "convergence/run/x", "step": 3, "reason": "checksum"}]
    assert fine["findings"] == []


@pytest.mark.usefixtures("found")
def test_text_puts_the_symptom_beneath_its_cause(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diagnose", "logs"]) == 0
    text = capsys.readouterr().out
    assert text.index("unnormalized-input") < text.index("explains loss-not-decreasing")
    assert "try: Standardise" in text
    assert "✔ no finding" in text
    assert "\x1b[" not in text, "no colour when the output is not a terminal"


def test_names_never_reach_the_terminal_raw(sick: RunDiagnosis) -> None:
    lines = cli.report([replace(sick, run="evil\x1b[2J\u202e\nname")])
    assert not any("\x1b" in line or "\u202e" in line or "\n" in line for line in lines)
    assert "evil\\x1b[2J" in lines[0]


def test_verbose_says_what_was_not_evaluated() -> None:
    diagnosis = diagnose_history(draw.history(draw.run_table(draw.falling())))
    text = "\n".join(cli.report([diagnosis], verbose=True))
    assert "dead-relu needs activation_dead_fraction" in text


def test_a_missing_directory_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["diagnose", "/no/such/directory"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "/no/such/directory" in error


def test_a_lost_data_server_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(*args: object, **kwargs: object) -> None:
        raise DataUnavailableError("connection refused")

    monkeypatch.setattr(reading, "diagnose", gone)
    assert cli.main(["diagnose", "logs"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "--loader python" in error


def test_logdir_error_is_a_value_error() -> None:
    assert issubclass(LogdirError, ValueError)


@pytest.mark.parametrize("command", [[], ["diagnose"], ["demo"]])
def test_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, "--help"])
    assert stop.value.code == 0
    assert "usage: tb-convergence" in capsys.readouterr().out


def test_diagnosing_loads_no_tensorflow(tmp_path) -> None:
    code = (
        "import sys; from tb_convergence.cli import main; main(['diagnose', sys.argv[1]]); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    (tmp_path / "run").mkdir()
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
