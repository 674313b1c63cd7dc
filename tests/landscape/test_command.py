"""`tb-convergence landscape` on a saved model, and what it writes."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytest.importorskip("matplotlib")
Image = pytest.importorskip("PIL.Image")

from tb_convergence.cli import main  # noqa: E402
from tb_convergence.core.landscape import parse  # noqa: E402
from tb_convergence.reading import open_logdir  # noqa: E402
from tb_convergence.reading.landscapes import read_landscapes  # noqa: E402

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(64, 3)).astype("f4")
    y = (x @ np.ones((3, 1))).astype("f4")
    np.savez(tmp_path / "data.npz", x_train=x[:48], y_train=y[:48], x_test=x[48:], y_test=y[48:])
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.save(tmp_path / "model.keras")
    return str(tmp_path / "model.keras"), str(tmp_path / "data.npz")


def test_it_writes_record_picture_and_summary(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = [tmp_path / name for name in ("a.html", "a.svg", "a.json", "a.png")]
    options = [part for file in outputs for part in ("--output", str(file))]
    run = tmp_path / "logs" / "run"
    assert main([
        "landscape", *files, "--points", "9", "--pairs", "2", "--logdir", str(run), *options,
    ]) == 0
    assert "Basin share" in capsys.readouterr().out
    page, picture, record = (file.read_text(encoding="utf-8") for file in outputs[:3])
    with Image.open(outputs[3]) as chart:
        chart.load()
        assert chart.format == "PNG"
        assert chart.width > chart.height, "two pairs stand side by side"
        assert len(chart.convert("RGB").getcolors(1 << 20) or ()) > 20, "contours are drawn"
    document = parse(record.encode())
    assert set(document["planes"][0]["values"]) == {"loss", "validation_loss"}
    assert ET.fromstring(picture).tag.endswith("svg")
    assert page.count("<svg") == 2
    with open_logdir(run.parent, "python") as source:
        (found,) = read_landscapes(source, source.runs()).landscapes
    assert found.document == document
    assert json.loads(record)["batch_norm"] == "none"


def test_a_png_without_matplotlib_is_refused_before_anything_is_computed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tb_convergence.cli.landscape.find_spec", lambda name: None)
    assert main(["landscape", "absent.keras", "absent.npz", "--output", "a.png"]) == 2
    assert "pip install matplotlib" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--output", "a.gif"], 2, "ends in one of .html"),
        (["--loss", "nonsense"], 1, "nonsense"),
        (["--directions", "between"], 1, "needs other="),
        (["--path", "/nowhere"], 1, "neither a folder with"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    files: tuple[str, str], arguments: list[str], status: int, words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["landscape", *files, "--points", "9", *arguments]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tb-convergence: ")
    assert words in line


def test_files_that_are_none_are_named(
    files: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.keras"
    bad.write_text("no model")
    assert main(["landscape", str(bad), files[1]]) == 1
    assert "cannot be loaded as a Keras model" in capsys.readouterr().err
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    assert main(["landscape", files[0], str(tmp_path / "other.npz")]) == 1
    assert "contains a; expected x and y" in capsys.readouterr().err
