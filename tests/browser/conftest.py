"""A real Chromium on a real TensorBoard that serves the demo's runs, trained once per session.

Several processes (pytest -n) have servers and browsers of their own; logs are made by the one that
asks first (`made_once`).

A browser that is missing fails these tests; only TB_CONVERGENCE_BROWSER=none (make test
BROWSER=none) leaves them out. TB_CONVERGENCE_DEMO_LOGS names runs of `tb-convergence demo` to use
instead of training, TB_CONVERGENCE_HEADED=1 shows the browser, TB_CONVERGENCE_SLOW=4 makes the
page four times slower (`slowness`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "tests"), str(ROOT / "tools"), str(ROOT)]

import browser as system_browser  # noqa: E402 - found through the line above
import state_logs  # noqa: E402
from chromium import ARGUMENTS, Chromium  # noqa: E402
from convergence_tab import Tab  # noqa: E402
from servers import tensorboard  # noqa: E402
from waiting import SECONDS  # noqa: E402

SCREENSHOTS = ROOT / "artifacts" / "screenshots"

# A machine that does much else is no fault of the page; what never comes is found all the same.
expect.set_options(timeout=SECONDS * 1000)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark these tests, so that they can be run by themselves, or left out when that is asked."""
    reason = f"left out on purpose: {system_browser.VARIABLE}={system_browser.LEFT_OUT}"
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if system_browser.left_out():
                item.add_marker(pytest.mark.skip(reason=reason))


def made_once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]
) -> Path:
    """Folder `name` of this session, filled by `make` in whichever process asks first.

    Others wait for it. Where making it failed, the next one that asks begins anew.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # of all processes
    folder, done = root / f"shared-{name}", root / f"shared-{name}.done"
    with (root / f"shared-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def demo_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Log directory of the demo, trained by its own command."""
    given = os.environ.get("TB_CONVERGENCE_DEMO_LOGS")
    if given:
        return Path(given)
    command = [sys.executable, "-m", "tb_convergence", "demo", "--no-serve", "--logdir"]

    def train(folder: Path) -> None:
        subprocess.run([*command, str(folder)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

    return made_once(tmp_path_factory, "demo", train)


@pytest.fixture(scope="session")
def logs_of_states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that a page cannot show as usual: `state_logs`."""
    return made_once(tmp_path_factory, "states", state_logs.write_states)


@pytest.fixture(scope="session")
def golden_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs whose every cell is known: `state_logs.write_golden`."""
    here = Path(__file__).parent
    return made_once(
        tmp_path_factory, "golden", lambda folder: _in_a_process("state_logs", str(folder), here)
    )


@pytest.fixture(scope="session")
def large_logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 runs x 400 rows x 2,000 records: what the page is made for."""
    return made_once(
        tmp_path_factory, "large",
        lambda folder: _in_a_process("benchmarks.large_logs", str(folder), ROOT),
    )


def _in_a_process(module: str, argument: str, folder: Path) -> None:
    """TensorFlow, which writes large files fast, stays out of the tests' own process."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    subprocess.run(
        [sys.executable, "-m", module, argument], cwd=folder, check=True,
        env={**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )


@pytest.fixture(scope="session", params=["true", "false"], ids=["data-server", "python-loader"])
def either_loader(request: pytest.FixtureRequest, demo_logs: Path) -> Iterator[str]:
    """TensorBoard on the demo's runs, with each of its two loaders."""
    with tensorboard(demo_logs, f"--load_fast={request.param}") as address:
        yield address


@pytest.fixture(scope="session")
def served(demo_logs: Path) -> Iterator[str]:
    """TensorBoard on the demo's runs, as it starts by itself."""
    with tensorboard(demo_logs) as address:
        yield address


@pytest.fixture(scope="session")
def states(logs_of_states: Path) -> Iterator[str]:
    """TensorBoard on the runs of `state_logs`."""
    with tensorboard(logs_of_states) as address:
        yield address


@pytest.fixture(scope="session", params=["true", "false"], ids=["data-server", "python-loader"])
def golden(request: pytest.FixtureRequest, golden_logs: Path) -> Iterator[str]:
    """TensorBoard on the runs whose cells are known, all records kept, with each loader."""
    keep = "--samples_per_plugin=convergence=20000"
    with tensorboard(golden_logs, f"--load_fast={request.param}", keep) as address:
        yield address


@pytest.fixture(scope="session")
def large(large_logs: Path) -> Iterator[str]:
    """TensorBoard on 20 large runs."""
    with tensorboard(large_logs) as address:
        yield address


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """The system's browser: Playwright's own is not downloaded."""
    path = system_browser.find()
    assert path is not None, system_browser.WHAT_TO_DO
    headless = not os.environ.get("TB_CONVERGENCE_HEADED")
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"), executable_path=path, headless=headless,
            args=list(ARGUMENTS),
        )
        yield Chromium(context)
        context.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Starts a TensorBoard of the test's own, and ends it after the pages are closed."""
    with ExitStack() as started:
        yield lambda logdir, *arguments: started.enter_context(tensorboard(logdir, *arguments))


@pytest.fixture
def open_tab(chromium: Chromium, serve: Callable[..., str]) -> Iterator[Callable[..., Tab]]:
    """Opens the tab of a TensorBoard; afterward nothing may have gone wrong in the page.

    Depends on `serve` so that pages are closed before their server goes.
    """
    pages: list[Page] = []
    troubles: list[str] = []
    forgiven: list[str] = []

    def opener(
        address: str,
        theme: str = "light",
        size: tuple[int, int] = (1440, 1100),
        fragment: str = "convergence",
        provoked: tuple[str, ...] = (),
        prepare: Callable[[Page], None] = lambda _page: None,
        settled: bool = True,
    ) -> Tab:
        """`provoked`: messages that the test itself causes; `prepare`: before it opens.

        `settled`: whether all is to be on screen at first; a test of waits does not want that.
        """
        forgiven.extend(provoked)
        page = chromium.new_page(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if theme == "dark" else "light",
        )
        pages.append(page)
        page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("requestfailed", lambda r: troubles.append(f"failed: {r.url} {r.failure}"))
        page.on("response", lambda reply: troubles.extend(_refused(reply)))
        prepare(page)
        return Tab(page, address, fragment, settled)

    yield opener
    for page in pages:
        page.close()
    assert [
        trouble
        for trouble in troubles
        if not _of_our_own_making(trouble) and not any(piece in trouble for piece in forgiven)
    ] == []


def _refused(reply: Response) -> list[str]:
    """What was answered with an error. A reply that has not changed since (304) is none."""
    return [f"{reply.status} {reply.url}"] if reply.status >= 400 else []


def _of_our_own_making(trouble: str) -> bool:
    """A request that the page gave up because something else was selected, or because it closed."""
    return "net::ERR_ABORTED" in trouble


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Folder of the screenshots; continuous integration keeps it."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS
