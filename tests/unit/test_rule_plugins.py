"""Rules from outside the package: what joins, what is refused, and that they show like ours."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import histories as draw
import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from tb_convergence import cli, rule_plugins
from tb_convergence.core import rules
from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.schema import Row
from tb_convergence.rule_plugins import RuleFileError, load_file
from tb_convergence.training.host.live_options import checked_live, checked_rules, wanted
from tb_convergence.training.host.writer import channel

PAGE = Path(__file__).resolve().parents[2] / "docs" / "rules.md"


@pytest.fixture(autouse=True)
def only_ours() -> Iterator[None]:
    """No rule of one test is in force in the next."""
    yield
    rules._ADDED.clear()
    rule_plugins._FILES.clear()
    rule_plugins._INSTALLED.clear()


def example() -> str:
    """The rule file of docs/rules.md."""
    (code,) = re.findall(r"```python\n(# my_rules\.py\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return str(code)


def rule_file(folder: Path, text: str) -> Path:
    file = folder / "my_rules.py"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return file


def test_the_documented_rule_fires_and_is_silent(tmp_path: Path) -> None:
    (rule,) = load_file(rule_file(tmp_path, example()))
    assert rule in rules.in_force()
    stuck = draw.history(draw.run_table(draw.flat(), learning_rate=np.full(200, 1e-9)))
    (found,) = (f for f in diagnose_history(stuck).findings if f.id == rule.id)
    assert [(item.name, item.unit) for item in found.evidence] == [("learning rate", None)]
    assert rule.id not in {f.id for f in diagnose_history(draw.healthy()).findings}


def test_a_file_is_run_once(tmp_path: Path) -> None:
    file = rule_file(tmp_path, example())
    assert load_file(file) == load_file(file)
    assert len(rules.in_force()) == len(rules.RULES) + 1


@pytest.mark.parametrize(("text", "message"), [
    ("", "defines no rule: set RULE = Rule(...)"),
    ("RULES = (3,)", "'3' in RULES is not a Rule"),
    ("1 / 0", "raised ZeroDivisionError: division by zero"),
    ("RULE = ", "raised SyntaxError"),
    ("from tb_convergence.core.rules.dead_relu import RULE", "two rules have the id 'dead-relu'"),
    ("""
     from dataclasses import replace
     from tb_convergence.core.rules import dead_relu
     RULE = replace(dead_relu.RULE, id="mine", explains=("nonsense",))
     """, "rule 'mine': explains names 'nonsense', which is not a rule"),
])
def test_a_file_that_cannot_be_used_is_refused_whole(
    tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = rule_file(tmp_path, text)
    with pytest.raises(RuleFileError, match=re.escape(message)):
        load_file(file)
    assert rules.in_force() == rules.RULES
    with pytest.raises(SystemExit) as stopped:
        cli.main(["rules", "--rules", str(file)])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuleFileError, match=r"is not a file: name a Python file"):
        load_file(tmp_path / "none.py")


def logs(folder: Path) -> Path:
    """Scalars of a run whose loss stands still at a rate of almost 0."""
    writer = EventFileWriter(str(folder / "run"))
    for step, loss in enumerate(draw.flat().tolist()):
        event = Event(step=step, wall_time=1e9 + step)
        event.summary.value.add(tag="loss", simple_value=loss)
        event.summary.value.add(tag="learning_rate", simple_value=1e-9)
        writer.add_event(event)
    writer.close()
    return folder


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_rule_of_a_file_shows_in_the_terminal(tmp_path: Path, jobs: str) -> None:
    logdir = logs(tmp_path / "logs")
    logs(tmp_path / "logs" / "second")
    file = rule_file(tmp_path, example())
    done = subprocess.run(
        [sys.executable, "-m", "tb_convergence.cli", "diagnose", str(logdir), "--rules", str(file),
         "--format", "json", "--jobs", jobs, "--loader", "python"],
        capture_output=True, text=True, check=True, timeout=300,
    )
    runs = json.loads(done.stdout)["runs"]
    assert len(runs) == 2
    for run in runs:
        (found,) = (one for one in run["findings"] if one["id"] == "rate-below-float32")
        assert found["evidence"][0]["statistic"] == "learning_rate"


def test_explain_tells_of_a_rule_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = rule_file(tmp_path, example())
    assert cli.main(["explain", "rate-below-float32", "--rules", str(file)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "learning rate: below 1e-8" in text
    assert "The learning rate is so small" in text


def test_rules_of_installed_packages_join_and_a_broken_one_costs_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rule_file(tmp_path, example())
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        EntryPoint("broken", "no_such_module_here:RULE", rule_plugins.GROUP),
        EntryPoint("mine", "my_rules", rule_plugins.GROUP),
    ]
    monkeypatch.setattr(rule_plugins, "entry_points", lambda group: points)
    rule_plugins.load_installed()
    rule_plugins.load_installed()
    assert [rule.id for rule in rules.in_force()][-1] == "rate-below-float32"
    assert len(rules.in_force()) == len(rules.RULES) + 1
    assert caplog.text.count("'broken' of an installed package are ignored") == 1


def test_tensorboard_ignores_a_file_that_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = tmp_path / "bad.py", rule_file(tmp_path, example())
    bad.write_text("1 / 0", encoding="utf-8")
    rule_plugins.load_files([str(bad), str(good)])
    assert [rule.id for rule in rules.in_force()][-1] == "rate-below-float32"
    assert "rules are ignored" in caplog.text


def watched(stop_on: frozenset[str]) -> tuple[list[str], bool]:
    """Findings that a training with a tiny rate is told of, and whether it was stopped."""
    told: list[str] = []
    stopped: list[bool] = []
    live = wanted(
        "run", False, lambda finding: told.append(finding.id), stop_on,
        lambda: stopped.append(True), 0.01,
    )
    assert live is not None
    run = channel("run", (Row("run", "run", "run"),), ("loss", "learning_rate", "window_steps"))
    for step in range(200):
        values = np.array([[2.3 + 0.01 * (-1) ** step, 1e-9, 1.0]], np.float32)
        live.record(run.content, values, step, float(step))
        live.look()
    live.look(last=True)
    return told, bool(stopped)


def test_a_training_is_stopped_on_a_rule_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'rate-below-float32'.*rules="):
        checked_live(None, {"rate-below-float32"})
    file = rule_file(tmp_path, example())
    with pytest.raises(TypeError, match="expected a list of files"):
        checked_rules(file)
    assert checked_rules([file]) == (str(file),)
    told, stopped = watched(checked_live(None, {"rate-below-float32"}))
    assert "rate-below-float32" in told
    assert stopped
    with pytest.raises(RuleFileError, match=r"none\.py"):
        checked_rules([tmp_path / "none.py"])


def test_a_copy_in_another_process_loads_the_files_itself(tmp_path: Path) -> None:
    file = str(rule_file(tmp_path, example()))
    assert wanted("run", False, None, (), lambda: None, 0.01, (file,)) is not None
    assert "rate-below-float32" in {rule.id for rule in rules.in_force()}


def test_a_training_is_told_of_rules_of_installed_packages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rule_file(tmp_path, example())
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_rules", raising=False)
    points = [EntryPoint("mine", "my_rules", rule_plugins.GROUP)]
    monkeypatch.setattr(rule_plugins, "entry_points", lambda group: points)
    told, stopped = watched(frozenset())
    assert "rate-below-float32" in told
    assert not stopped
    assert checked_live(None, {"rate-below-float32"}) == {"rate-below-float32"}
