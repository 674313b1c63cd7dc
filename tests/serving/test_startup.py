"""The plugin cannot take TensorBoard down: what is imported when, and hooks that never raise."""

from __future__ import annotations

import logging
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard import program
from tensorboard.backend.event_processing import data_ingester
from tensorboard.plugins import base_plugin
from tensorboard.plugins.core import core_plugin
from werkzeug.test import Client

from tb_convergence.serving import plugin as plugin_module
from tb_convergence.serving.loader import RECORDS, ConvergenceLoader
from tb_convergence.serving.plugin import ConvergencePlugin
from tests.serving import contract

ROOT = Path(__file__).resolve().parents[2]


def modules_after(code: str) -> set[str]:
    """Top-level names in sys.modules after `code` ran in a new interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sorted(sys.modules), sep='\\n')"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )
    return set(done.stdout.split())


def test_the_entry_point_imports_next_to_nothing() -> None:
    bare = modules_after("from tensorboard.plugins import base_plugin")
    ours = modules_after("import tb_convergence.serving.loader") - bare
    assert {name for name in ours if name.startswith("tb_convergence")} == {
        "tb_convergence", "tb_convergence.serving", "tb_convergence.serving.loader"
    }
    rest = {name.split(".")[0] for name in ours} - {"tb_convergence"}
    assert rest <= set(sys.stdlib_module_names)
    assert "numpy" not in bare | ours
    assert "tensorflow" not in bare | ours


def test_the_plugin_is_loaded_without_tensorflow() -> None:
    loaded = modules_after(
        "from types import SimpleNamespace\n"
        "from tb_convergence.serving.loader import ConvergenceLoader\n"
        "plugin = ConvergenceLoader().load(SimpleNamespace(data_provider=None))\n"
        "assert plugin is not None\n"
        "assert plugin.get_plugin_apps()\n"
    )
    assert "tb_convergence.serving.service" in loaded
    heavy = {"tensorflow", "keras", "torch", "jax", "sklearn", "pandas", "matplotlib"}
    assert not heavy & loaded
    assert not any(name.startswith("tb_convergence.training") for name in loaded)


def configured(*flags: str) -> Namespace:
    board = program.TensorBoard(plugins=[core_plugin.CorePluginLoader(), ConvergenceLoader])
    board.configure(argv=["tensorboard", "--logdir=x", *flags])
    found: Namespace = board.flags
    return found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {"convergence": RECORDS}),
        ("scalars=7", {"scalars": 7, "convergence": RECORDS}),
        ("convergence=50", {"convergence": 50}),
        ("convergence=0,images=1", {"convergence": 0, "images": 1}),
    ],
)
def test_records_are_kept_unless_the_user_chose(
    given: str | None, expected: dict[str, int]
) -> None:
    flags = configured(*([f"--samples_per_plugin={given}"] if given else []))
    assert flags.samples_per_plugin == expected
    ingester = data_ingester.LocalDataIngester(flags)
    multiplexer: Any = ingester.deprecated_multiplexer
    assert multiplexer._tensor_size_guidance["convergence"] == expected["convergence"]


def test_a_dictionary_of_the_program_that_starts_tensorboard_is_not_changed() -> None:
    board = program.TensorBoard(plugins=[core_plugin.CorePluginLoader(), ConvergenceLoader])
    mine = {"scalars": 3}
    board.configure(argv=["tensorboard"], logdir="x", samples_per_plugin=mine)
    assert mine == {"scalars": 3}
    assert board.flags.samples_per_plugin == {"scalars": 3, "convergence": RECORDS}


class Hostile:
    """Flags that cannot be read or set."""

    @property
    def samples_per_plugin(self) -> Any:
        raise RuntimeError("no flags")


@pytest.mark.parametrize(
    "flags",
    [Namespace(), Namespace(samples_per_plugin=None), Namespace(samples_per_plugin="a=1"),
     Hostile(), None],
)
def test_flag_hooks_never_raise(flags: Any) -> None:
    loader = ConvergenceLoader()
    loader.define_flags(ArgumentParser())
    before = dict(vars(flags)) if isinstance(flags, Namespace) else None
    loader.fix_flags(flags)
    if before is not None:
        assert vars(flags) == before, "only a dictionary of numbers is completed"


def test_a_plugin_that_cannot_be_loaded_is_left_out_with_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for broken in (None, SimpleNamespace()):
        monkeypatch.setitem(sys.modules, "tb_convergence.serving.plugin", broken)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            assert ConvergenceLoader().load(SimpleNamespace(data_provider=None)) is None
        (line,) = caplog.records
        assert "left out" in line.getMessage()
        assert "\n" not in line.getMessage()
        assert line.exc_info is None


class Provider:
    """A data provider that knows plugins only."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def list_plugins(self, ctx: Any, *, experiment_id: str) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "active"),
    [
        (["convergence"], True), (["histograms", "scalars"], True), (["scalars"], False),
        ([], False), (None, False), (RuntimeError("gone"), False),
    ],
)
def test_active_where_there_is_something_to_show(answer: Any, active: bool) -> None:
    context = base_plugin.TBContext(data_provider=Provider(answer))
    assert ConvergencePlugin(context).is_active() is active


def test_without_a_data_provider() -> None:
    plugin = ConvergencePlugin(base_plugin.TBContext())
    assert plugin.is_active() is False
    response = Client(plugin.get_plugin_apps()["/runs"]).get("/")
    assert "data provider" in contract.error(response, 503)


def test_the_tab() -> None:
    plugin = ConvergencePlugin(base_plugin.TBContext())
    tab = plugin.frontend_metadata()
    assert (tab.es_module_path, tab.tab_name) == ("/index.js", "Convergence")
    assert not tab.disable_reload
    assert plugin.plugin_name == "convergence"
    assert plugin.data_plugin_names() == ("convergence", "histograms")
    assert tab.es_module_path in plugin.get_plugin_apps()


def test_tensorboard_starts_beside_a_plugin_that_cannot_make_its_routes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from tensorboard.backend import application  # noqa: PLC0415

    def fail(*_: Any) -> Any:
        raise OSError("no files")

    monkeypatch.setattr(plugin_module, "applications", fail)
    flags = SimpleNamespace(logdir="", samples_per_plugin={}, window_title="", path_prefix="")
    client = Client(application.TensorBoardWSGIApp(flags, [ConvergenceLoader()]))
    assert client.get("/data/plugins_listing").status_code == 200
