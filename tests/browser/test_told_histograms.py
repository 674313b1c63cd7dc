"""The page asks what histograms are whose names do not say it; the answer lives in its link."""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from convergence_tab import Tab
from playwright.sync_api import Locator, expect
from waiting import eventually

from tests.reading.event_files import EventFile

Open = Callable[..., Tab]
Serve = Callable[..., str]
AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js")
HOSTILE = "<img src=x onerror=alert(1)>/a,b{c}\\.weight"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A run of histograms that could be either, of others that are neither, and of an odd one."""
    logdir = tmp_path / "logs"
    with EventFile(logdir / "bare") as file:
        for step in range(30):
            file.simple("loss", step, 0.9**step)
            for tag in ("fc1.weight", "fc2.weight", HOSTILE, "blob/thing_1"):
                rows = np.array([[-1.0, 0.0, 4.0], [0.0, 0.9**step, 5.0]])
                file.tensor(tag, step, rows, plugin="histograms")
    return logdir


def choice(tab: Tab, pattern: str, label: str) -> Locator:
    row = tab.frame.locator(f"""[data-testid=ask-row][data-pattern="{pattern}"]""")
    return row.get_by_role("button", name=label, exact=True)


def metrics(tab: Tab) -> list[str]:
    return [str(one.get_attribute("value")) for one in
            tab.frame.locator("select[name=metric] option").all()]


def test_the_answer_is_used_at_once_and_lives_in_the_link(
    serve: Serve, open_tab: Open, bare: Path
) -> None:
    address = serve(bare)
    tab = open_tab(address)
    expect(tab.find("ask-row")).to_have_count(3)
    expect(tab.find("ask")).to_contain_text(HOSTILE)
    expect(tab.find("heatmap")).to_have_count(0)
    expect(tab.find("no-layers")).to_contain_text("Choose above what the histograms of bare are")
    choice(tab, "{v}", "Gradients").click()
    expect(tab.find("heatmap")).to_be_visible()
    expect(choice(tab, "{v}", "Gradients")).to_have_attribute("aria-pressed", "true")
    eventually(lambda: metrics(tab), lambda offered: "variables gradient_norm" in offered)
    choice(tab, "blob/{v}", "Neither").click()
    expect(choice(tab, "blob/{v}", "Neither")).to_have_attribute("aria-pressed", "true")
    # A name full of what has a meaning in rules is answered for like any other.
    odd = tab.find("ask-row").filter(has_text=HOSTILE)
    odd.get_by_role("button", name="Neither").click()
    expect(odd.get_by_role("button", name="Neither")).to_have_attribute("aria-pressed", "true")
    tab.find("ask-done").click()
    expect(tab.find("ask-line")).to_contain_text("2 read as gradients · 2 ignored")
    tab.page.wait_for_url(lambda url: "neither" in url)

    again = open_tab(address, fragment=tab.page.url.partition("#")[2])
    expect(again.find("ask-line")).to_contain_text("2 read as gradients · 2 ignored")
    expect(again.find("heatmap")).to_be_visible()
    again.find("ask-line").get_by_role("button").click()
    choice(again, "{v}", "Weights").click()
    norm = again.frame.locator('select[name=metric] option[value="variables variable_norm"]')
    expect(norm).to_be_attached()
    eventually(lambda: metrics(again), lambda offered: "variables gradient_norm" not in offered)
    # Taken back, it is asked again.
    choice(again, "{v}", "Weights").click()
    expect(again.find("heatmap")).to_have_count(0)
    expect(choice(again, "{v}", "Weights")).to_have_attribute("aria-pressed", "false")


def test_the_flag_has_answered_already(serve: Serve, open_tab: Open, bare: Path) -> None:
    tab = open_tab(serve(bare, "--convergence_tags=weights={v},neither=blob/{v}"))
    expect(tab.find("ask-line")).to_contain_text("2 read as weights · 1 ignored")
    expect(tab.find("heatmap")).to_be_visible()


@pytest.mark.parametrize("loader", ["true", "false"])
def test_a_slip_in_the_flag_or_the_link_costs_neither_tab_nor_question(
    serve: Serve, open_tab: Open, bare: Path, loader: str
) -> None:
    address = serve(bare, "--convergence_tags=dW", f"--load_fast={loader}")
    tab = open_tab(address, fragment="convergence&p.convergence.tags=gradients%3Doops")
    expect(tab.find("ask-row")).to_have_count(3)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_barrier_in_the_question(
    serve: Serve, open_tab: Open, bare: Path, theme: str
) -> None:
    tab = open_tab(serve(bare), theme=theme)
    choice(tab, "{v}", "Weights").click()
    expect(tab.find("heatmap")).to_be_visible()
    tab.settle()
    tab.frame.evaluate(AXE.read_text(encoding="utf-8"))
    result: dict[str, Any] = tab.frame.evaluate("axe.run(document.querySelector('.ask'))")
    assert [violation["id"] for violation in result["violations"]] == []
    assert len(result["passes"]) > 3
