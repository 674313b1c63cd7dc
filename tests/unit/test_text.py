"""Values as words: vectors shared with the page, and no number formatted beside `core/text`."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_convergence.core.text.numbers import confidence, number, number_range, percent, rounded
from tb_convergence.core.text.phrases import counted
from tb_convergence.core.text.severity import SEVERITY_MARKS, VERDICT_MARKS, VERDICT_WORDS
from tb_convergence.core.text.steps import step_range

ROOT = Path(__file__).resolve().parents[2]
VECTORS = json.loads((ROOT / "tests" / "text_vectors.json").read_text(encoding="utf-8"))


def as_written(severity: str) -> str:
    assert severity in SEVERITY_MARKS
    return severity


WRITERS: dict[str, Callable[..., str]] = {
    "number": lambda value, digits: number(float(value), digits),
    "percent": lambda value: percent(float(value)),
    "confidence": confidence,
    "counted": counted,
    "step_range": step_range,
    "verdict": VERDICT_WORDS.__getitem__,
    "severity": as_written,
}


def test_every_kind_of_vector_has_a_writer_here() -> None:
    assert set(VECTORS) == {"about", *WRITERS}
    assert set(VERDICT_MARKS) == {state for state, _ in VECTORS["verdict"]}


@pytest.mark.parametrize("kind", WRITERS)
def test_values_read_as_in_the_page(kind: str) -> None:
    assert VECTORS[kind]
    for *value, text in VECTORS[kind]:
        assert WRITERS[kind](*value) == text, value


def parsed(text: str) -> float:
    return float(text.replace(",", ""))


@given(st.floats(-1e307, 1e307), st.integers(1, 7))
def test_a_number_is_right_to_its_last_digit(value: float, digits: int) -> None:
    text = number(value, digits)
    # Half a unit of the last digit; above 10^digits whole numbers are written in full.
    assert parsed(text) == pytest.approx(value, rel=0.5 * 10.0 ** (1 - digits), abs=5e-324)
    assert number(-value, digits).lstrip("-") == text.lstrip("-")
    assert rounded(value, digits) == pytest.approx(value, rel=0.5 * 10.0 ** (1 - digits))


@given(st.floats(0, 1))
def test_a_fraction_is_0_or_100_per_cent_only_where_it_is(fraction: float) -> None:
    text = percent(fraction)
    assert (text == "0%") == (fraction == 0)
    assert (text == "100%") == (100 * fraction == 100)
    assert parsed(text.split()[-1].rstrip("%")) == pytest.approx(100 * fraction, rel=5e-3, abs=0.1)


@given(st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=2).map(sorted))
def test_both_ends_of_a_range_are_written(ends: list[float]) -> None:
    low, high = (parsed(end) for end in number_range(*ends).split(" to "))
    size = max(map(abs, ends))
    assert low == pytest.approx(ends[0], rel=6e-3, abs=6e-3 * size)
    assert high == pytest.approx(ends[1], rel=6e-3, abs=6e-3 * size)


def loose_formats(tree: ast.AST) -> Iterator[int]:
    """Lines that format a number themselves: `{x:.3g}`, `{x:,.0f}`, `format(x, ...)`, `"%g" % x`.

    `{count:,}` and `{text:>8}` are fine: groups and padding change no digit.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            parts = node.format_spec.values if isinstance(node.format_spec, ast.JoinedStr) else []
            spec = "".join(str(p.value) if isinstance(p, ast.Constant) else "?" for p in parts)
            if not re.fullmatch(r"([<>^][\d?]*)?,?", spec):
                yield node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id == "format":
                yield node.lineno
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and (
            isinstance(node.left, ast.Constant) and isinstance(node.left.value, str)
        ):
            yield node.lineno


SPEAKING = sorted(
    path for part in (
        "core", "cli/formats", "cli/wording.py", "training/host/live.py",
        "training/host/live_options.py",
        "experiments/ablation.py", "experiments/confirmation.py", "experiments/data_check.py",
        "experiments/gradients.py", "experiments/memorizing.py",
        "experiments/loss_landscape/sharpness.py",
    )
    for path in ((ROOT / "tb_convergence" / part).rglob("*.py")
                 if not part.endswith(".py") else [ROOT / "tb_convergence" / part])
    if path.parent.name != "text"
)


def test_sentences_leave_numbers_to_the_text_package() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}" for path in SPEAKING
        for line in loose_formats(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert len(SPEAKING) > 80
    assert found == [], "use number(), percent() or literal() of core/text/numbers"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("f'{x:.3g}'", 1), ("f'{x:,.0f} {y:.{d}g}'", 2), ("format(x, '.3f')", 1), ("'%g' % x", 1),
        ("f'{count:,} {x} {name:<{width}}'", 0), ("7 % x", 0),
    ],
)
def test_a_number_formatted_elsewhere_is_seen(source: str, found: int) -> None:
    assert len(list(loose_formats(ast.parse(source)))) == found


def test_not_a_number_is_named_not_hidden() -> None:
    assert [percent(math.nan), number_range(1.0, math.inf)] == ["NaN", "1 to Inf"]
