"""Findings for programs: one strict JSON document, plain ASCII."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tb_convergence.core.diagnosis.finding import FINDINGS_SCHEMA, RunDiagnosis, as_json


def document(runs: Sequence[RunDiagnosis]) -> dict[str, Any]:
    """The document as plain Python values; see docs/cli.md."""
    return {"schema": FINDINGS_SCHEMA, "runs": [as_json(run) for run in runs]}


def dumps(value: Mapping[str, Any]) -> str:
    """`value` as one line of JSON. A bare NaN is a bug in this package, so it raises."""
    return json.dumps(value, allow_nan=False, indent=2, ensure_ascii=True) + "\n"


def report(runs: Sequence[RunDiagnosis]) -> str:
    """The document as text."""
    return dumps(document(runs))
