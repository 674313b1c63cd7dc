"""One command makes a working rule; the tests list what its author still owes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import new_rule  # noqa: E402


def test_nothing_is_owed() -> None:
    assert new_rule.owed() == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The parts of the repository that a rule touches."""
    for part in ("tb_convergence/core", "tests/histories", "tools", "docs"):
        shutil.copytree(ROOT / part, tmp_path / part,
                        ignore=shutil.ignore_patterns("__pycache__", "images"))
    shutil.copy(ROOT / "tb_convergence/__init__.py", tmp_path / "tb_convergence/__init__.py")
    return tmp_path


def python(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=copy, capture_output=True, text=True,
        timeout=300, check=False,
        env={"PYTHONPATH": f"{copy}:{copy / 'tests'}", "PATH": ""},
    )


CHECK = """
from histories.rules import cases
from tb_convergence.core.diagnosis import diagnose_history
case = cases()["my-rule"]
fired = [f.id for f in diagnose_history(case.fires()).findings]
assert "my-rule" in fired, fired
assert "my-rule" not in [f.id for f in diagnose_history(case.silent()).findings]
"""


@pytest.mark.parametrize(
    "statistic", ["gradient_norm", "activation_std", "feature_outlier_fraction"]
)
def test_a_scaffolded_rule_works_at_once_and_owes_its_words(copy: Path, statistic: str) -> None:
    made = python(copy, "tools/new_rule.py", "my-rule", "--statistic", statistic)
    assert made.returncode == 0, made.stderr
    assert python(copy, "-c", CHECK).stderr == ""
    owed = python(copy, "tools/new_rule.py", "--owed")
    assert owed.returncode == 1
    assert "core/rules/my_rule.py:1: WRITE: what goes wrong" in owed.stdout
    assert "my-rule: its section in docs/diagnoses.md" in owed.stdout
    again = python(copy, "tools/new_rule.py", "my-rule")
    assert again.returncode == 2
    assert "exists already: choose another id" in again.stderr


@pytest.mark.parametrize(("arguments", "message"), [
    (["My Rule"], "'My Rule': an id is lower-case words joined by hyphens"),
    (["my-rule", "--statistic", "nothing"], "'nothing' is no statistic of layers or data"),
    (["my-rule", "--statistic", "loss"], "'loss' is no statistic of layers or data"),
    (["dead-relu"], "dead_relu.py exists already"),
])
def test_what_cannot_be_made_is_refused_and_writes_nothing(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(new_rule.RULES.iterdir()), sorted(new_rule.SERIES.iterdir())
    assert new_rule.main(arguments) == 2
    assert message in capsys.readouterr().err
    assert (sorted(new_rule.RULES.iterdir()), sorted(new_rule.SERIES.iterdir())) == before
