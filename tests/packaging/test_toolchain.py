"""Which Node.js builds the page, and what is said when there is none."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import toolchain

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH; no wheel of Node.js is installed."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(toolchain, "_in_wheel", lambda: None)
    (tmp_path / "bin").mkdir()
    return tmp_path


def test_node_and_npm_on_path_are_used_with_the_script_behind_npm(folder: Path) -> None:
    script(folder / "bin" / "node", "echo v22.3.0")
    script(folder / "lib" / "npm" / "bin" / "npm-cli.js", "")
    (folder / "bin" / "npm").symlink_to("../lib/npm/bin/npm-cli.js")
    found = toolchain.find()
    assert found.node == str(folder / "bin" / "node")
    assert found.npm == (found.node, str(folder / "lib" / "npm" / "bin" / "npm-cli.js"))


def test_an_npm_that_is_a_program_of_its_own_is_called_directly(folder: Path) -> None:
    script(folder / "bin" / "node", "echo v20.0.0")
    script(folder / "bin" / "npm", "exit 0")
    assert toolchain.find().npm == (str(folder / "bin" / "npm"),)


@pytest.mark.parametrize("answer", ["echo v18.20.4", "echo nonsense", "exit 3"])
def test_a_node_that_is_too_old_or_broken_is_not_used(folder: Path, answer: str) -> None:
    script(folder / "bin" / "node", answer)
    script(folder / "bin" / "npm", "exit 0")
    assert toolchain.on_path() is None
    with pytest.raises(toolchain.ToolchainError, match=r"Node\.js >= 20 and npm"):
        toolchain.find()


def test_node_without_npm_is_not_enough(folder: Path) -> None:
    script(folder / "bin" / "node", "echo v22.3.0")
    assert not toolchain.is_available()


def test_a_failing_command_is_an_error_that_names_it(folder: Path) -> None:
    script(folder / "bin" / "node", "echo v22.3.0")
    script(folder / "bin" / "npm", "exit 7")
    with pytest.raises(toolchain.ToolchainError, match=r"'npm ci' failed in .* with status 7"):
        toolchain.find().run(("npm", "ci"), folder)


def test_scripts_that_npm_starts_see_the_same_node_first(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = folder / "elsewhere"
    script(elsewhere / "node", "echo v22.3.0")
    script(elsewhere / "npm", f'echo "$PATH" > {folder}/seen')
    monkeypatch.setattr(
        toolchain,
        "_in_wheel",
        lambda: toolchain.Toolchain(str(elsewhere / "node"), (str(elsewhere / "npm"),)),
    )
    toolchain.find().run(("npm", "ci"), folder)
    assert (folder / "seen").read_text(encoding="ascii").split(":")[0] == str(elsewhere)
