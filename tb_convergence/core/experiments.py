"""Wire format of an experiment's result: what it is in an event file, and how a reader checks it.

One string scalar tensor per experiment, strict JSON, under a tag of its own with our plugin name
and no content: of two records of one tag and step, TensorBoard's fast loader keeps one. A log
directory is untrusted: sizes are bounded, and nothing is taken on trust.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from tb_convergence.core.schema import SchemaError

EXPERIMENT_TAG: Final = "convergence/experiments"
"""Tags begin with this and a slash."""
EXPERIMENT_SCHEMA: Final = 1
MAX_BYTES: Final = 2**18
"""Of one record; a range test of 1,000 steps takes a tenth of it."""
MAX_VERDICTS: Final = 100
MAX_REASON: Final = 1_000

Outcome = Literal["confirmed", "refuted", "undecided"]
Kind = Literal[
    "lr_range_test", "overfit_small_sample", "ablate", "gradient_check", "check_data", "doctor"
]
KINDS: Final = get_args(Kind)
OUTCOMES: Final = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class ExperimentVerdict:
    """The verdict of an experiment on one diagnosis.

    Attributes:
        finding: id of the diagnosis, such as "learning-rate-too-high".
        outcome: "confirmed", "refuted" or "undecided".
        reason: one sentence with the numbers.
    """

    finding: str
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class ExperimentRecord:
    """One experiment that was run.

    Attributes:
        kind: which.
        summary: its result in one or two sentences.
        verdicts: what follows for diagnoses.
        data: its numbers, strict JSON; what a view draws.
        step: optimizer step of the model when it was run.
        wall_time: seconds since the epoch; 0 where not known.
    """

    kind: str
    summary: str
    verdicts: tuple[ExperimentVerdict, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    step: int = 0
    wall_time: float = 0.0


@dataclass(frozen=True, slots=True)
class Tested:
    """The word of the experiments on one finding.

    Attributes:
        outcome: "confirmed", "refuted" or "undecided".
        reason: with the numbers.
        experiment: kind of the experiment, such as "lr_range_test".
        remedy: the lines of code that were proven to help, as a unified diff of the script or as
            lines to add, each with a leading "+"; "" if no experiment recorded any.
    """

    outcome: Outcome
    reason: str
    experiment: str
    remedy: str = ""


def tag_of(kind: str, text: bytes) -> str:
    """Tag of a record whose document is `text`."""
    return f"{EXPERIMENT_TAG}/{kind}/{hashlib.sha256(text).hexdigest()[:8]}"


def is_experiment(tag: str) -> bool:
    """Whether a tag of this plugin is that of an experiment."""
    return tag.startswith(f"{EXPERIMENT_TAG}/")


def encode(record: ExperimentRecord) -> bytes:
    """The JSON document of `record`.

    Raises:
        SchemaError: it is larger than a reader accepts.
    """
    document = {
        "schema": EXPERIMENT_SCHEMA,
        "kind": record.kind,
        "summary": record.summary,
        "verdicts": [
            {"finding": one.finding, "outcome": one.outcome, "reason": one.reason}
            for one in record.verdicts
        ],
        "data": strict(record.data),
    }
    text = json.dumps(document, allow_nan=False, ensure_ascii=False).encode()
    if len(text) > MAX_BYTES:
        raise SchemaError(f"experiment record of {len(text)} bytes, at most {MAX_BYTES}")
    return text


def decode(text: bytes, step: int = 0, wall_time: float = 0.0) -> ExperimentRecord:
    """Inverse of `encode`, for untrusted bytes.

    Raises:
        SchemaError: too large, not strict JSON, of a newer version, or not of this form.

    >>> decode(encode(ExperimentRecord("ablate", "dropout costs 3%"))).summary
    'dropout costs 3%'
    """
    if len(text) > MAX_BYTES:
        raise SchemaError(f"experiment record of {len(text)} bytes refused, at most {MAX_BYTES}")
    try:
        document = json.loads(text.decode(), parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"experiment record is not strict JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("schema"), int):
        raise SchemaError("experiment record is not a JSON object with a schema")
    if document["schema"] > EXPERIMENT_SCHEMA:
        raise SchemaError(
            f"experiment written by a newer version (schema {document['schema']}): upgrade "
            "tensorboard-plugin-convergence"
        )
    kind, data = str(document.get("kind", ""))[:100], document.get("data", {})
    if kind not in KINDS or not isinstance(data, dict):
        raise SchemaError(f"experiment record of kind {kind!r}, known: {', '.join(KINDS)}")
    verdicts = document.get("verdicts", [])
    if not isinstance(verdicts, list) or len(verdicts) > MAX_VERDICTS:
        raise SchemaError("experiment record without a list of verdicts, or with too many")
    summary = str(document.get("summary", ""))[:MAX_REASON]
    return ExperimentRecord(
        kind, summary, tuple(_verdict(item) for item in verdicts), data, step, wall_time
    )


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _verdict(item: Any) -> ExperimentVerdict:
    if not isinstance(item, dict) or item.get("outcome") not in OUTCOMES:
        raise SchemaError(f"verdict refused: {str(item)[:80]}")
    return ExperimentVerdict(str(item.get("finding", ""))[:100], item["outcome"],
                   str(item.get("reason", ""))[:MAX_REASON])


def strict(value: Any, depth: int = 8) -> Any:
    """Plain JSON values: numbers that are not finite become None, arrays lists.

    >>> strict({"a": float("nan"), "b": (1, 2.5)})
    {'a': None, 'b': [1, 2.5]}
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth and isinstance(value, Mapping):
        return {str(key): strict(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, (list, tuple)):
        return [strict(item, depth - 1) for item in value]
    return str(value)
