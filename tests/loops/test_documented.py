"""The snippets of docs/recording.md run as they stand, and the runs they write can be diagnosed."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import records

import tb_convergence

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "recording.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"(?:<!-- needs: (\w+) -->\n)?```python\n(.*?)```", TEXT, re.DOTALL)
RUNS = {
    "fit": {"activations", "epoch", "inputs", "run", "variables"},
    "watched": {"activations", "epoch", "inputs", "run", "variables"},
    "broken": {"activations", "epoch", "inputs", "run", "variables"},
    "loop": {"epoch", "inputs", "run", "variables"},
    "by-hand": {"run", "variables"},
    "graph": {"run", "variables"},
    "any": {"inputs", "run", "variables"},
    "torch": {"run", "variables"},
    "live": {"activations", "epoch", "inputs", "run", "variables"},
}
"""What each snippet's run holds, in the order of the page."""


def test_every_snippet_is_known() -> None:
    assert [re.search(r'"logs/([\w-]+)"', code).group(1) for _, code in SNIPPETS] == list(RUNS)


@pytest.mark.parametrize("name", RUNS)
def test_a_snippet_runs_as_it_stands(tmp_path: Path, name: str) -> None:
    needs, code = SNIPPETS[list(RUNS).index(name)]
    compile(code, name, "exec")
    if needs and importlib.util.find_spec(needs) is None:
        pytest.skip(f"{needs} is not installed: the snippet was only parsed")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", "-c", code],
        capture_output=True, text=True, cwd=tmp_path, env=environment, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "stops recording" not in done.stderr
    history = records.only(tmp_path / "logs")
    assert set(history.tables) == RUNS[name]
    assert len(history.tables["variables"].steps) >= (1 if name == "live" else 10)
    (diagnosis,) = tb_convergence.diagnose(tmp_path / "logs")
    if name == "live":
        assert "critical" in done.stdout
        assert "because of stop_on" in done.stderr
        assert diagnosis.severity == "critical"
    elif name == "broken":
        assert "non-finite-values" in {finding.id for finding in diagnosis.findings}
        assert (tmp_path / "logs" / "broken" / "last_finite" / "model.weights.h5").exists()
    else:
        assert diagnosis.severity in (None, "info"), diagnosis.findings
