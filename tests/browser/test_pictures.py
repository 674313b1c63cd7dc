"""Pictures of the curves: vectors with every sample of the legend, circles and dashes included."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

from convergence_tab import Tab
from playwright.sync_api import expect

Open = Callable[..., Tab]
SVG = "{http://www.w3.org/2000/svg}"


def test_curves_with_circles_are_a_picture_with_their_legend(
    served: str, open_tab: Open, tmp_path: Path
) -> None:
    tab = open_tab(served)
    tab.select("healthy")
    tab.settle()
    samples = tab.frame.locator(".legend .key")
    expect(samples).to_have_count(3)  # the rate, which is constant, is said and not drawn
    shown = tab.frame.locator(".legend-value, .legend-smoothed, .legend-label, .legend-x")
    expected = [text.strip() for text in shown.all_inner_texts()]
    menu = tab.find("export-curves")
    menu.locator("summary").click()
    with tab.page.expect_download() as waiting:
        menu.get_by_role("button", name="Picture (SVG)").click()
    waiting.value.save_as(tmp_path / "curves.svg")
    root = ElementTree.parse(tmp_path / "curves.svg").getroot()
    texts = [" ".join((one.text or "").split()) for one in root.iter(f"{SVG}text")]
    assert set(expected) <= set(texts)
    paths = list(root.iter(f"{SVG}path"))
    circles = [one for one in paths if "a2.5 2.5 0 1 0" in one.get("d", "")]
    assert len(circles) > 2 * 12, "a circle an epoch, of the loss and of the validation loss"
    dashed = [one for one in paths if one.get("stroke-dasharray") == "6 4"]
    assert len(dashed) == 2, "the validation loss, and its sample in the legend"
