"""The tab elsewhere: below a path, in a notebook's frame, before a server of another version."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import strict_host
from chromium import Chromium
from convergence_tab import Tab
from playwright.sync_api import FrameLocator, Page, Route, expect
from waiting import SECONDS

from tests.serving.event_logs import write
from tests.serving.sample_server import build
from tests.serving.samples import SampleSource, explodes, healthy, trained


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Two small runs."""
    write(tmp_path / "logs", trained("one", layers=3, records=60))
    write(tmp_path / "logs", trained("two", layers=3, records=60))
    return tmp_path / "logs"


def test_below_a_path(logs: Path, serve: Callable[..., str], chromium: Chromium) -> None:
    """TensorBoard's own page asks for its fonts at the root, and does not find them there."""
    address = serve(logs, "--path_prefix=/a/b")
    page = chromium.new_page()
    asked: list[str] = []
    page.on("response", lambda reply: asked.append(f"{reply.status} {reply.url}"))
    tab = Tab(page, address, "convergence")
    tab.select("two")
    tab.choose("variables", "update_ratio")
    ours = [one for one in asked if "convergence/" in one]
    assert ours
    assert [one for one in ours if not one.startswith(f"200 {address}/data/plugin/")] == []
    below = [one for one in asked if one.startswith("404") and f"{address}/" in one]
    assert below == []
    page.wait_for_url(lambda url: "two" in url)
    again = Tab(page, address, page.url.partition("#")[2])
    expect(again.find("run-chip", run="two")).to_have_attribute("aria-pressed", "true")
    page.close()


@pytest.mark.parametrize(
    ("theme", "size"), [("light", (1440, 900)), ("dark", (420, 700))], ids=["wide", "narrow"]
)
def test_in_the_frame_of_a_notebook(
    logs: Path, serve: Callable[..., str], chromium: Chromium, theme: str, size: tuple[int, int]
) -> None:
    """TensorBoard in a frame of another port: our tab is a frame in a frame."""
    address = serve(logs)
    troubles: list[str] = []
    with strict_host.running(strict_host.notebook(f"{address}/#convergence")) as cell:
        page = chromium.new_page(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if theme == "dark" else "light",
        )
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(cell)
        board = page.frame_locator("iframe")
        _works(board.frame_locator("iframe"), page)
        page.close()
    assert troubles == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_alone_in_a_page_of_another_origin(chromium: Chromium, theme: str) -> None:
    """No TensorBoard around it that could be asked for its theme: the system's is taken."""
    troubles: list[str] = []
    source = SampleSource(healthy(), explodes())
    with strict_host.running(strict_host.strict(source)) as address, strict_host.running(
        strict_host.notebook(address)
    ) as cell:
        page = chromium.new_page(color_scheme="dark" if theme == "dark" else "light")
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(cell.replace("127.0.0.1", "localhost"))
        frame = page.frame_locator("iframe")
        _works(frame, page)
        assert frame.locator("html").get_attribute("data-theme") == theme
        page.close()
    assert troubles == []


def _works(tab: FrameLocator, page: Page) -> None:
    """A run is chosen, its findings, curves and map are there."""
    tab.locator("[data-ready=true]").wait_for(state="attached")
    expect(tab.locator("progress")).to_have_count(0)
    last = tab.locator("[data-testid=run-chip]").last
    last.click()
    expect(last).to_have_attribute("aria-pressed", "true")
    expect(tab.locator("[data-testid=loss-chart]").first).to_be_visible()
    expect(tab.locator("[data-testid=heatmap]")).to_be_visible()
    expect(tab.locator(".loading, .heat-frame.pending")).to_have_count(0)
    wide = tab.locator("html")
    assert wide.evaluate("root => root.scrollWidth - root.clientWidth") <= 0


@pytest.fixture
def plain(chromium: Chromium) -> Iterator[Page]:
    """The page over samples; troubles are the test's own."""
    with strict_host.running(strict_host.strict(SampleSource(healthy(), explodes()))) as address:
        page = chromium.new_page()
        page.goto(address)
        page.locator("[data-ready=true]").wait_for(state="attached")
        yield page
        page.close()


@pytest.mark.parametrize("route", ["runs", "findings", "series", "layers"])
def test_a_server_of_another_version_asks_for_a_reload(plain: Page, route: str) -> None:
    def newer(call: Route) -> None:
        reply = call.fetch(timeout=SECONDS * 1000)
        call.fulfill(response=reply, body=json.dumps({**reply.json(), "schema": 99}))

    plain.route(f"**/convergence/{route}?*", newer)
    plain.route(f"**/convergence/{route}", newer)
    plain.locator("[data-testid=run-chip]").last.click()
    if route == "runs":
        plain.reload()
    button = plain.get_by_role("button", name="Reload the page").first
    expect(button).to_be_visible()
    plain.unroute_all()
    with plain.expect_navigation():
        button.click()
    plain.locator("[data-ready=true]").wait_for(state="attached")
    expect(plain.get_by_role("button", name="Reload the page")).to_have_count(0)


def test_assets_are_those_of_the_page_that_asks_for_them(plain: Page) -> None:
    """A new build is asked for by its content, not by its age."""
    with plain.expect_response(lambda reply: "index.js" in reply.url) as script, \
            plain.expect_response(lambda reply: "index.css" in reply.url) as styles:
        plain.reload()
    for reply in (script.value, styles.value):
        assert reply.headers["etag"]
        assert "no-cache" in reply.headers["cache-control"]
    assert "?v=" in styles.value.url


def test_the_routes_answer_below_an_experiment() -> None:
    from werkzeug.test import Client  # noqa: PLC0415

    client = Client(build(SampleSource(healthy())))
    whole = client.get("/experiment/any/data/plugin/convergence/findings?run=mlp/healthy")
    assert whole.status_code == 200
    assert client.get("/experiment/any/data/plugin/convergence/index.js").status_code == 200
