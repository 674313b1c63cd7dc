"""Where the browser of the browser tests comes from, and that its absence is never silent."""

from __future__ import annotations

import os
from pathlib import Path

import browser
import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH. The person is not root."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(browser.VARIABLE, raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return tmp_path


def script(path: Path, text: str = "exit 0") -> None:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
    path.chmod(0o755)


def apt_get(folder: Path) -> None:
    """A stand-in that notes its arguments, and on "install" brings Chromium."""
    installs = f"[ \"$1\" = install ] && echo '#!/bin/sh' > {folder}/chromium"
    makes_it_run = f'[ "$1" = install ] && /bin/chmod 755 {folder}/chromium'
    script(folder / "apt-get", f'echo "$@" >> {folder}/calls\n{installs}\n{makes_it_run}\nexit 0')


def test_a_browser_on_path_is_used_as_it_is(folder: Path) -> None:
    script(folder / "google-chrome")
    apt_get(folder)
    assert browser.main() == 0
    assert browser.find() == str(folder / "google-chrome")
    assert not (folder / "calls").exists()


def test_root_gets_chromium_installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    apt_get(folder)
    assert browser.main() == 0
    calls = (folder / "calls").read_text(encoding="ascii").splitlines()
    assert calls[0].startswith("update")
    assert calls[1].startswith("install --yes")
    assert calls[1].endswith("chromium")


@pytest.mark.parametrize(("answer", "status"), [("exit 0", 0), ("exit 1", 1)])
def test_sudo_is_used_only_if_it_asks_for_no_password(
    folder: Path, answer: str, status: int
) -> None:
    apt_get(folder)
    script(folder / "sudo", f'[ "$2" = true ] && {answer}\nshift\nexec "$@"')
    assert browser.main() == status
    assert (folder / "calls").exists() == (status == 0)


def test_without_a_browser_it_is_an_error_that_says_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert browser.main() == 1
    assert "BROWSER=none leaves these tests out" in capsys.readouterr().err


def test_leaving_them_out_has_to_be_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(browser.VARIABLE, "none")
    assert browser.main() == 0
    assert "left out" in capsys.readouterr().out


def test_a_browser_that_is_named_wrongly_is_not_replaced_by_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(folder / "chromium")
    apt_get(folder)
    monkeypatch.setenv(browser.VARIABLE, str(folder / "mistyped"))
    assert browser.main() == 1
