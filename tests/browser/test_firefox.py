"""The tab in Firefox, inside a real TensorBoard. Left out where there is no Firefox."""

from __future__ import annotations

import importlib.resources
import re
from collections.abc import Iterator
from pathlib import Path

import marionette
import pytest
from marionette import Firefox

AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js")
FOUND = marionette.find()

pytestmark = [
    pytest.mark.firefox,
    pytest.mark.skipif(FOUND is None, reason="no Firefox on PATH: apt-get install firefox-esr"),
]

RUN = "learning-rate-too-high"
DOWN, ENTER = "\ue015", "\ue007"


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    """A browser for all tests of this file."""
    assert FOUND is not None
    with Firefox(FOUND, 1440, 1100) as browser:
        yield browser


@pytest.fixture
def tab(firefox: Firefox, served: str) -> Iterator[Firefox]:
    """Inside the tab with a sick run on screen; afterward nothing may have been complained of."""
    firefox.open("about:blank")
    firefox.privileged("Services.console.reset()")
    firefox.open(f"{served}/#convergence&p.convergence.run={RUN}")
    firefox.wait("document.querySelector('iframe[src*=convergence], iframe')")
    firefox.enter("iframe")
    firefox.wait("document.querySelector('[data-ready=true] [data-testid=heatmap]')")
    firefox.wait("document.querySelector('.small-chart') && !document.querySelector('.loading')")
    yield firefox
    ours = [text for text in firefox.errors() if "/data/plugin" in text]
    assert ours == []


def test_the_diagnosis_and_every_view_are_there(tab: Firefox, screenshots: Path) -> None:
    chip = tab.run("return document.querySelector('.chip[aria-pressed=true]').dataset.run")
    assert chip == RUN
    first = tab.run("""
      const card = document.querySelector("[data-testid=finding]");
      return [card.dataset.id, card.dataset.kind, card.getBoundingClientRect().height]""")
    assert first[:2] == ["learning-rate-too-high", "cause"]
    assert first[2] > 100
    (screenshots / "firefox.png").write_bytes(tab.picture())
    for view in ("loss-chart", "heatmap", "layer-panel"):
        size = tab.run(f"""
          const {{ width, height }} = document.querySelector("[data-testid={view}]")
            .getBoundingClientRect();
          return [width, height]""")
        assert min(size) > 80, view
    cut = tab.run("const { scrollWidth, clientWidth } = document.scrollingElement;"
                  "return scrollWidth - clientWidth")
    assert cut <= 0


def test_nan_is_a_pattern_here_too(tab: Firefox) -> None:
    tab.run("""document.querySelector("input[value='variables gradient_norm']").click()""")
    tab.wait("!document.querySelector('.heat-frame.pending')")
    colors = tab.run("""
      const style = getComputedStyle(document.querySelector("#convergence"));
      const wanted = ["--heat-nan", "--heat-nan-mark"].map((name) => {
        const hex = style.getPropertyValue(name).trim();
        return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join();
      });
      const canvas = document.querySelector("[data-testid=heatmap]");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const counts = [0, 0];
      for (let at = 0; at < data.length; at += 4) {
        const place = wanted.indexOf([data[at], data[at + 1], data[at + 2]].join());
        if (place >= 0) counts[place] += 1;
      }
      return counts""")
    assert min(colors) > 1_000
    assert 0.5 < colors[0] / colors[1] < 2, "a chequer: half of it each"


def test_the_map_is_read_and_opened_by_keys(tab: Firefox) -> None:
    tab.run("document.querySelector('[data-testid=heatmap]').focus()")
    tab.press(DOWN, DOWN)
    said = tab.run("return document.querySelector('[data-testid=heatmap-readout]').textContent")
    assert re.fullmatch(r".+ · steps? [\d,]+.* · .+", said.strip()), said
    tab.press(ENTER)
    name = said.partition(" · ")[0].rpartition("/")[2]
    tab.wait(f"document.querySelector('.layer-title h3').textContent.includes('{name}')")


def test_the_list_of_keys_opens(tab: Firefox) -> None:
    tab.run("document.querySelector('.chip').focus()")
    tab.press("?")
    tab.wait("document.querySelector('dialog#help').open")
    tab.press("\ue00c")
    tab.wait("!document.querySelector('dialog#help').open")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_barrier(tab: Firefox, dark: bool) -> None:
    tab.run("parent.document.body.classList.toggle('dark-mode', arguments[0])", dark)
    tab.wait(f"document.documentElement.dataset.theme === '{'dark' if dark else 'light'}'")
    tab.run("for (const each of document.querySelectorAll('details:not(.export)'))"
            " each.open = true")
    tab.run("new Function(arguments[0]).call(window)", AXE.read_text(encoding="utf-8"))
    found = tab.run("""return window.axe.run(document).then(({ violations, passes }) => [
      violations.map((one) => `${one.id} ${one.nodes.map((node) => node.target).join()}`),
      passes.length])""")
    tab.run("parent.document.body.classList.remove('dark-mode')")
    assert found[0] == []
    assert found[1] > 10
