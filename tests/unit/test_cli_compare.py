"""`compare` on real event files: which runs are meant, what is said, what is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import histories as draw
import numpy as np
import pytest
import reports

from tb_convergence import cli
from tests.serving.event_logs import write

Read = pytest.CaptureFixture[str]


def configured(rate: float) -> dict[str, object]:
    return {"optimizer": {"class": "SGD", "learning_rate": rate}}


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fine run, a run on raw data whose second layer hardly moves, and one of a hostile name."""
    logdir = tmp_path_factory.mktemp("logs")
    write(logdir, replace(reports.fine("fine"), config=configured(0.01)))
    sick = reports.sick("sick")
    table = sick.tables["variables"]
    values = np.array(table.low)
    values[80:, 1, table.columns.index("update_ratio")] /= 1e4
    slow = replace(table, low=values, high=values)
    write(logdir, replace(sick, config=configured(0.5), tables={**sick.tables, "variables": slow}))
    hostile = draw.history(draw.run_table(draw.falling()), config={"\x1b[31m<b>|": "\x1b[2J"})
    write(logdir, hostile, "hostile\u202e")
    return logdir


def compare(*arguments: str) -> int:
    return cli.main(["compare", *arguments, "--loader", "python"])


def test_two_runs_of_a_log_directory(logs: Path, capsys: Read) -> None:
    assert compare("fine", "sick", "--logdir", str(logs)) == 0
    text = capsys.readouterr().out
    assert "optimizer.learning_rate: A 0.01, B 0.5" in text
    assert re.search(r"✖ unnormalized-input +A none, B critical from step 0", text)
    assert re.search(r"÷10,000 +Update ratio +hidden_2 .*from step 80", text)
    assert "they separate at step" in text


def test_two_directories_with_one_run_each(logs: Path, capsys: Read) -> None:
    assert compare("fine", "sick", "--logdir", str(logs)) == 0
    by_name = capsys.readouterr().out
    assert compare(str(logs / "fine"), str(logs / "sick")) == 0
    by_path = capsys.readouterr().out
    assert by_path.splitlines()[2:] == by_name.splitlines()[2:]
    assert str(logs / "fine") in by_path


def test_json_is_the_documented_document(logs: Path, capsys: Read, tmp_path: Path) -> None:
    assert compare("fine", "sick", "--logdir", str(logs), "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    assert document["first"] == {"run": "fine", "last_step": 199}
    assert document["settings"] == [
        {"name": "optimizer.learning_rate", "first": "0.01", "second": "0.5"}]
    (difference,) = document["differences"]
    assert difference["statistic"] == "update_ratio"
    assert difference["orders"] == pytest.approx(-4, abs=0.01)
    assert document["diverges_at"] <= 80
    file = tmp_path / "out.json"
    assert compare("sick", "fine", "--logdir", str(logs), "--format", "json", "-o", str(file)) == 0
    (swapped,) = json.loads(file.read_text(encoding="utf-8"))["differences"]
    assert swapped["orders"] == -difference["orders"]


def test_markdown_is_tables_that_hostile_names_cannot_break(logs: Path, capsys: Read) -> None:
    assert compare("fine", "sick", "--logdir", str(logs), "--format", "markdown") == 0
    text = capsys.readouterr().out
    assert "* **A** fine (step 199)" in text
    assert "| optimizer.learning\\_rate | 0.01 | 0.5 |" in text
    assert re.search(r"\| ✖ .*not normalized \| none \| critical from step 0 \|", text)
    assert re.search(r"\| ÷10,000 \| Update ratio \| hidden\\_2 \| .* \| 80 \|", text)
    assert compare("fine", "hostile\u202e", "--logdir", str(logs), "--format", "markdown") == 0
    hostile = capsys.readouterr().out
    assert "<b>" not in hostile
    assert all(c == "\n" or c.isprintable() or c == "\u200b" for c in hostile)
    for block in re.findall(r"(?:^\|.*\n)+", hostile, re.MULTILINE):
        bars = [len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()]
        assert len(set(bars)) == 1, block


def test_html_is_one_page_that_runs_nothing(logs: Path, capsys: Read) -> None:
    other = "hostile\u202e"
    assert compare("fine", other, "--logdir", str(logs), "--format", "html") == 0
    page = capsys.readouterr().out
    assert page.isascii()
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "<b>|" not in page
    assert "\\x1b[31m&lt;b&gt;|" in page
    assert compare("fine", "sick", "--logdir", str(logs), "--format", "html") == 0
    page = capsys.readouterr().out
    assert "<td>optimizer.learning_rate<td>0.01<td>0.5</tr>" in page
    assert re.search(r"<td>&#247;10,000<td>Update ratio<td>hidden_2<td>", page)


def test_a_run_against_itself(logs: Path, capsys: Read) -> None:
    assert compare("sick", "sick", "--logdir", str(logs)) == 0
    text = capsys.readouterr().out
    for words in ("none of the recorded ones", "the same in both", "no more than their noise",
                  "none by a factor"):
        assert words in text


def test_hostile_names_and_settings_are_shown_as_escapes(logs: Path, capsys: Read) -> None:
    assert compare("fine", "hostile\u202e", "--logdir", str(logs)) == 0
    text = capsys.readouterr().out
    assert all(c == "\n" or c.isprintable() for c in text)
    assert "\\x1b[2J" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fine", "sik", "--logdir", "{logs}"), "did you mean 'sick'?"),
        (("{logs}", "{logs}/fine"), "contains 3 runs"),
        (("{logs}/fine", "{logs}/absent"), "does not exist"),
        (("fine", "sick"), "does not exist"),
        (("fine", "sick", "--logdir", "{logs}", "-o", "/no/folder/x"), "cannot write"),
    ],
)
def test_what_is_refused(
    logs: Path, arguments: tuple[str, ...], words: str, capsys: Read
) -> None:
    assert compare(*(argument.format(logs=logs) for argument in arguments)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert words in captured.err
    assert "\u202e" not in captured.err


def test_many_differences_are_cut_and_listed_on_demand(tmp_path: Path, capsys: Read) -> None:
    names = tuple(f"dense_{i}" for i in range(30))
    for run, factor in (("a", 1.0), ("b", 100.0)):
        table = draw.table("variables", draw.kernels(*names),
                           {"gradient_norm": factor * np.ones((20, 30))}, np.arange(20))
        write(tmp_path, draw.history(table, draw.run_table(draw.falling(20))), run)
    assert compare("a", "b", "--logdir", str(tmp_path)) == 0
    assert "and 18 more (-v lists them)" in capsys.readouterr().out
    assert compare("a", "b", "--logdir", str(tmp_path), "-v") == 0
    assert capsys.readouterr().out.count("×100") == 30
