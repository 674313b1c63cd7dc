"""The command line of the zoo: what it refuses, and what it lists."""

from __future__ import annotations

from pathlib import Path

import pytest

zoo_main = pytest.importorskip("zoo.__main__")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--cases", __file__], "--cases and --data go together"),
        (["--cases", "nowhere.json", "--data", "."], "no file 'nowhere.json'"),
        (["--cases", __file__, "--data", "nowhere"], "no folder 'nowhere'"),
        (["--jobs", "0"], "--jobs must be at least 1"),
        (["--seeds", "0,x"], "whole numbers with commas, not '0,x'"),
    ],
)
def test_arguments_that_make_no_sense(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        zoo_main.arguments(arguments)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.tensorflow
def test_programs_are_chosen_by_name_or_by_what_they_have(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert zoo_main.main(["--list", "--only", "dead-*"]) == 0
    by_name = capsys.readouterr().out
    assert "dead-dense " in by_name
    assert "apart-dead " in by_name, "its expected id matches"
    assert "raw-dense" not in by_name
    assert zoo_main.main(["--only", "no such", "--cache", str(tmp_path)]) == 1
    assert "no program matches" in capsys.readouterr().out
