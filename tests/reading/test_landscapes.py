"""Landscapes in event files, read by both loaders; damaged ones, and other people's tags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tb_convergence.core.landscape import (
    MAX_BYTES,
    LandscapeRecordError,
    check_document,
    describe,
    parse,
    tag_of,
)
from tb_convergence.experiments.loss_landscape.record import write_record
from tb_convergence.reading import open_logdir
from tb_convergence.reading.landscapes import RecordedLandscapes, read_landscapes
from tests.landscape_records import line_record, plane_record
from tests.reading.both_loaders import LOADERS, read
from tests.reading.event_files import EventFile


def both(logdir: Path, name: str | None = None) -> RecordedLandscapes:
    """What the loaders agree on."""
    answers = []
    for loader in LOADERS:
        with open_logdir(logdir, loader) as source:  # type: ignore[arg-type]
            answers.append(read_landscapes(source, source.runs(), name))
    fast, python = answers
    assert [one.document for one in fast.landscapes] == [one.document for one in python.landscapes]
    assert [s.tag for s in fast.skipped] == [s.tag for s in python.skipped]
    return python


def test_what_is_written_is_read(tmp_path: Path) -> None:
    run = tmp_path / "run"
    for document in (plane_record("a/b"), line_record()):
        write_record(str(run), document, step=700)
    found = both(tmp_path)
    assert [one.document for one in found.landscapes] == [plane_record("a/b"), line_record()]
    assert [one.step for one in found.landscapes] == [700, 700]
    assert found.skipped == ()
    assert len(both(tmp_path, "line").landscapes) == 1
    assert both(tmp_path, "none").landscapes == ()


def test_a_run_with_a_landscape_is_read_as_without(tmp_path: Path) -> None:
    write_record(str(tmp_path / "run"), plane_record(), step=7)
    history = read(tmp_path)
    assert history.skipped == ()
    assert history.tables == {}


def test_the_newest_of_one_name_holds(tmp_path: Path) -> None:
    write_record(str(tmp_path / "run"), plane_record(steepness=1.0), step=7)
    write_record(str(tmp_path / "run"), plane_record(steepness=2.0), step=8)
    (one,) = both(tmp_path).landscapes
    assert one.document == plane_record(steepness=2.0)
    assert one.step == 8


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"{", "not a landscape's JSON"),
        (b"[1]", "schema"),
        (b"\xff", "not a landscape's JSON"),
        (json.dumps({**plane_record("x"), "schema": 9}).encode(), "schema '9'"),
        (json.dumps(plane_record("other")).encode(), "differs from its tag"),
        (json.dumps({**plane_record("x"), "level": float("inf")}).encode(), "Infinity"),
        (b"[" * 100_000, "not a landscape's JSON"),
    ],
)
def test_a_damaged_record_is_named_and_costs_nothing_else(
    tmp_path: Path, text: bytes, words: str
) -> None:
    with EventFile(tmp_path / "run") as file:
        file.tensor(tag_of("x"), 5, text)
    write_record(str(tmp_path / "run"), line_record("good"), step=6)
    found = both(tmp_path)
    assert [one.document["name"] for one in found.landscapes] == ["good"]
    (skipped,) = found.skipped
    assert skipped.tag == tag_of("x")
    assert words in skipped.reason


def broken(**changes: Any) -> dict[str, Any]:
    return {**plane_record(), **changes}


def broken_plane(**changes: Any) -> dict[str, Any]:
    document = plane_record()
    document["planes"][0].update(changes)
    return document


@pytest.mark.parametrize(
    "document",
    [
        None, [], {}, broken(planes=[]), broken(planes=[1]), broken(name="../x\n"),
        broken(name=7), broken(statistics=None), broken(statistics={"a": 1}),
        broken(sharpness={"largest": 1}), broken(notes=[1]), broken(samples=1.5),
        broken(level=True), broken(loss=None), broken_plane(x=[1.0]), broken_plane(x=[2.0, 1.0]),
        broken_plane(values={"loss": [1.0]}), broken_plane(values={}), broken_plane(labels=["a"]),
        broken_plane(path={"steps": [1], "x": [], "y": [], "loss": []}), broken_plane(path=3),
        broken_plane(statistics={"a": "b"}), broken_plane(evaluated=-1),
        broken_plane(explained=["x"]),
    ],
)
def test_a_document_that_views_could_not_show_is_refused(document: Any) -> None:
    with pytest.raises(LandscapeRecordError):
        check_document(document)


def test_a_document_beyond_the_limit_is_refused() -> None:
    with pytest.raises(LandscapeRecordError, match="refused"):
        parse(b" " * (MAX_BYTES + 1))


def test_the_text_says_numbers_with_their_spread() -> None:
    text = describe(plane_record())
    assert "Basin share: 41% ± 1.41%" in text
    assert "The learning rate 0.1 is below" in text
    assert "400 evaluations for 1,250 grid points" in text
    assert "another training of the same model can differ by more" in text
