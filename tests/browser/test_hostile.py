"""Names that attack the page, under a policy that allows nothing inline: text, and nothing else."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import strict_host
from chromium import Chromium
from playwright.sync_api import Page, expect
from waiting import settle

from tests.serving.samples import (
    SampleSource,
    explodes,
    from_histograms,
    healthy,
    hostile,
    vanishes,
)

NAMES = (
    "<img src=x onerror=\"document.title='pwned'\">",
    "</script><script>document.title='pwned'</script>",
    "__proto__", "constructor", "=cmd|' /C calc'!A0", "../../etc/passwd", "\u202egnp.exe",
    "nul\x00 and\nnewline", "a" * 7_000, "javascript:alert(1)", "{{7*7}}${7*7}", " ", "' onclick='",
)


@pytest.fixture(scope="module")
def source() -> SampleSource:
    """Runs of these names, one whose layers are named so too, and sound ones."""
    sick = explodes()
    return SampleSource(
        hostile(), healthy(), vanishes(), from_histograms(),
        *(replace(sick, run=name) for name in NAMES),
    )


@pytest.fixture(scope="module")
def address(source: SampleSource) -> Iterator[str]:
    """The page, in the strict host."""
    with strict_host.running(strict_host.strict(source)) as found:
        yield found


@pytest.fixture
def page(
    chromium: Chromium, address: str, request: pytest.FixtureRequest
) -> Iterator[Page]:
    """The page, opened; afterward nothing may have run, been refused, or gone wrong."""
    opened = chromium.new_page(viewport={"width": 1440, "height": 1100})
    troubles: list[str] = []
    bites = "policy_bites" in request.node.name
    opened.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("console", lambda m: troubles.append(m.text) if _is_trouble(m.text) else None)
    opened.add_init_script(
        "window.refused = []; addEventListener('securitypolicyviolation', e =>"
        " refused.push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample))"
    )
    opened.goto(address)
    opened.locator("[data-ready=true]").wait_for(state="attached")
    settle(opened, opened.main_frame)
    yield opened
    assert opened.title() == "Convergence"
    assert opened.evaluate("refused") == []
    assert opened.evaluate("Object.keys(Object.prototype)") == []
    opened.close()
    assert bites or troubles == []


def _is_trouble(text: str) -> bool:
    """All but what a reply that is not there makes the browser say: a test may mean it."""
    return not text.startswith("Failed to load resource")


def chips(page: Page) -> dict[str, int]:
    """Position of each run's chip, by name."""
    found = page.locator("[data-testid=run-chip]")
    return {str(found.nth(i).get_attribute("data-run")): i for i in range(found.count())}


def test_the_policy_bites(page: Page) -> None:
    """Without this the tests below would prove nothing."""
    markup = "<b style='color:red'>x</b><img src=x onerror='document.title=1'>"
    page.evaluate("text => document.body.insertAdjacentHTML('beforeend', text)", markup)
    page.wait_for_function("refused.length >= 2")
    assert {str(one).split()[0] for one in page.evaluate("refused")} == {
        "style-src-attr", "script-src-attr"
    }
    page.reload()
    page.locator("[data-ready=true]").wait_for(state="attached")


def test_every_run_is_chosen_and_drawn(page: Page, source: SampleSource) -> None:
    assert set(chips(page)) == set(source.histories)
    for run, position in chips(page).items():
        chip = page.locator("[data-testid=run-chip]").nth(position)
        chip.click()
        chosen = page.locator("[data-testid=run-chip][aria-pressed=true]")
        expect(chosen).to_have_attribute("data-run", run)
        expect(page.locator("[data-testid=loss-chart]").first).to_be_visible()
        settle(page, page.main_frame)
        said = page.locator("[data-testid=finding], [data-testid=no-finding]").first
        expect(said).to_be_visible()
    # No element came of a name: what looks like markup is text.
    assert page.locator("#convergence img, #convergence script, #convergence iframe").count() == 0


def test_names_are_isolated_and_escaped(page: Page) -> None:
    text = page.locator("nav.runs").inner_text()
    assert "<img src=x" in text
    assert "\\u202egnp.exe" in text
    assert "\u202e" not in text
    assert "\x00" not in text
    assert "\\u0000" in text
    for name in page.locator("[data-testid=run-chip] bdi").all():
        assert len(name.inner_text()) <= 200
        assert len(name.get_attribute("title") or "") <= 1_001
    wide = "document.scrollingElement"
    assert page.evaluate(f"{wide}.scrollWidth - {wide}.clientWidth") <= 0


def test_tables_hold_no_formula(page: Page) -> None:
    hostile_run = hostile().run
    page.locator("[data-testid=run-chip]").nth(chips(page)[hostile_run]).click()
    settle(page, page.main_frame)
    for view in ("findings", "map", "curves", "layer"):
        menu = page.locator(f"[data-testid=export-{view}]")
        menu.locator("summary").click()
        with page.expect_download() as download:
            menu.get_by_role("button", name="CSV").click()
        text = Path(download.value.path()).read_text(encoding="utf-8")
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert len(cells) > 5
        for cell in cells:
            assert not cell.startswith(("=", "@", "\t", "\r")), (view, cell)
            if cell.startswith(("+", "-")):
                float(cell)


def test_a_run_that_is_gone_leaves_the_others(page: Page, source: SampleSource) -> None:
    page.locator("[data-testid=run-chip]").nth(chips(page)["mlp/healthy"]).click()
    expect(page.locator("[data-testid=no-finding]")).to_be_visible()
    kept = source.histories.pop("deep/vanishes")
    try:
        with page.expect_response(lambda reply: "deep%2Fvanishes" in reply.url) as answered:
            page.locator("[data-testid=run-chip]").nth(chips(page)["deep/vanishes"]).click()
        assert answered.value.status == 404
        told = page.get_by_text("any more").or_(page.get_by_text("no longer"))
        expect(told.first).to_be_visible()
        page.locator("[data-testid=run-chip]").nth(chips(page)["mlp/healthy"]).click()
        expect(page.locator("[data-testid=no-finding]")).to_be_visible()
    finally:
        source.histories["deep/vanishes"] = kept
