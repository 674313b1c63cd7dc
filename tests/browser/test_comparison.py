"""Runs beside each other: chosen, compared, put away, linked; by pointer and by keyboard."""

from __future__ import annotations

import importlib.resources
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import pytest
from convergence_tab import Tab
from playwright.sync_api import expect
from waiting import SECONDS, eventually

Open = Callable[..., Tab]
AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js")
SICK, WELL = "learning-rate-too-high", "healthy"


def link(**parts: str) -> str:
    """A fragment of the address, as a person would paste it."""
    own = "".join(f"&p.convergence.{key}={quote(value)}" for key, value in parts.items())
    return f"convergence{own}"


def linked(tab: Tab) -> dict[str, str]:
    """What the address says of the tab."""
    # Not the page's own location: going back needs an address that the browser knows, too.
    tab.page.evaluate("null")  # `page.url` changes only while Playwright waits for something
    parts = [part.partition("=") for part in tab.page.url.partition("#")[2].split("&")]
    return {key.removeprefix("p.convergence."): unquote(value) for key, _, value in parts if value}


def expect_linked(tab: Tab, **wanted: str | None) -> None:
    """Wait until the address says so; None: says nothing."""
    eventually(lambda: {key: linked(tab).get(key) for key in wanted}, equals=wanted)


def focused_run(tab: Tab) -> str | None:
    """The run whose chip has the keyboard."""
    run: str | None = tab.frame.evaluate("document.activeElement.dataset.run")
    return run


def compared(tab: Tab, first: str, second: str) -> dict[str, Any]:
    """Wait for the comparison of two runs on screen; what the route says of them."""
    panel = tab.find("comparison")
    expect(panel.locator("h2")).to_contain_text(re.compile(f"{first}.*{second}", re.DOTALL))
    expect(tab.find("compare-verdict")).to_be_visible()
    tab.settle()
    return dict(tab.get("compare", run=first, **{"with": second}))


def test_a_run_is_compared_by_the_list_in_the_bar(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    tab.select(SICK)
    options = tab.find("compare-with").locator("option")
    expect(options.first).to_have_text("Compare with…")
    expect(options.filter(has_text="healthy (nothing found)")).to_have_count(1)
    expect(options.filter(has_text=SICK)).to_have_count(0)
    tab.find("compare-with").select_option(WELL)
    said = compared(tab, SICK, WELL)
    loss = said["loss"]
    expect(tab.find("compare-verdict")).to_contain_text(f"step {loss['diverges_at']}")
    assert said["settings"]
    for setting in said["settings"]:
        row = tab.find("compare-settings").locator("tbody tr", has_text=setting["name"]).first
        for side in ("first", "second"):
            value = setting[side] or "none"
            expect(row).to_contain_text(f"{int(value):,}" if value.isdecimal() else value)
    listed = tab.find("compare-findings").locator(".changes li")
    expect(listed).to_have_count(len(said["findings"]) + len(said["shared"]))
    rows = tab.find("compare-statistics").locator("tbody tr")
    expect(rows).to_have_count(len(said["differences"]))
    # Both losses, each in its run's color.
    legend = tab.frame.locator(".legend-item")
    expect(legend.filter(has_text=WELL)).to_be_visible()
    keys = [line.get_attribute("stroke") for line in tab.frame.locator(".legend .key line").all()]
    assert keys[0] != keys[-1]
    tab.find("end-comparison").click()
    expect(tab.find("comparison")).to_have_count(0)


def test_the_bar_is_used_with_the_keyboard_alone(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    names = tab.runs()
    selected = tab.frame.locator('.chip[aria-pressed="true"]')
    selected.focus()
    expect(tab.frame.locator(".chip[tabindex='0']")).to_have_count(1)
    tab.page.keyboard.press("Home")
    for name in names[1:3]:
        tab.page.keyboard.press("ArrowRight")
        eventually(lambda: focused_run(tab), equals=name)
    tab.page.keyboard.press("Enter")
    expect(tab.find("run-chip", run=names[2])).to_have_attribute("aria-pressed", "true")
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("v")
    compared(tab, names[2], names[3])
    tab.page.keyboard.press("x")
    expect(tab.find("run-chip", run=names[3])).to_have_count(0)
    expect(tab.find("comparison")).to_have_count(0)
    # The keyboard's place is a neighbor, not lost.
    eventually(lambda: focused_run(tab), equals=names[4])
    expect(tab.find("hidden-runs")).to_have_text("1 hidden")
    tab.find("hidden-runs").click()
    expect(tab.find("run-chip", run=names[3])).to_be_visible()


def test_hidden_runs_are_seen_again_and_the_selected_one_gives_way(
    served: str, open_tab: Open
) -> None:
    tab = open_tab(served)
    tab.select(WELL)
    chip = tab.find("run-chip", run=WELL)
    chip.focus()
    tab.page.keyboard.press("x")
    expect(chip).to_have_count(0)
    expect(tab.frame.locator('.chip[aria-pressed="true"]')).to_have_count(1)
    tab.find("hidden-runs").click()
    expect(chip).to_be_visible()
    expect(tab.find("hidden-runs")).to_have_count(0)


def difference(tab: Tab, run: str, other: str, group: str, metric: str) -> Any:
    """The route `difference`, decoded as the document says."""
    url = tab.url("difference", run=run, group=group, metric=metric, width="1000",
                  **{"with": other})
    with urllib.request.urlopen(url, timeout=60) as reply:
        return tab.decode(reply.read())


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_map_of_differences_reads_as_the_route_says(
    served: str, open_tab: Open, theme: str
) -> None:
    tab = open_tab(served, theme=theme, fragment=link(
        run=SICK, group="variables", metric="gradient_norm", map="difference", step="0",
        row="sequential/dense/kernel", **{"with": f'["{WELL}"]'},
    ))
    compared(tab, SICK, WELL)
    expect(tab.frame.locator(".heat-frame.pending")).to_have_count(0)
    canvas = tab.find("heatmap")
    expect(canvas).to_have_attribute("aria-label", re.compile("against this run"))
    heat = difference(tab, SICK, WELL, "variables", "gradient_norm")
    partners = tab.get("compare", run=SICK, **{"with": WELL})["groups"][0]["partners"]
    lonely = [row for row, partner in enumerate(partners) if partner is None]
    assert lonely, "one of these networks has layers that the other has not"
    assert set(heat.codes[lonely].ravel()) == {1}
    expect(tab.find("pairs")).to_contain_text(f"Only in {SICK}")
    canvas.focus()
    readout = tab.find("heatmap-readout")
    canvas.press("Home")
    canvas.press("Home")
    for cell in range(4):
        value = float(heat.values[0, cell])
        said = readout.inner_text()
        assert f"step {heat.first_steps[cell]}" in said
        sign, factor = re.search(r"([×÷])([\d.,e]+)", said).groups()  # type: ignore[union-attr]
        read = float(factor.replace(",", "")) ** (1 if sign == "×" else -1)
        assert np.isclose(read, 10**value, rtol=6e-3), (said, value)
        canvas.press("ArrowRight")
    canvas.press("End")
    expect(readout).to_contain_text("NaN in one of the runs")


def test_the_map_of_differences_shows_what_only_one_run_has_at_all(
    served: str, open_tab: Open
) -> None:
    """Gradients of dead units are exactly 0: the other run's are infinitely many times as large."""
    run, metric = "dead-relu", "gradient_norm"
    tab = open_tab(served, fragment=link(
        run=run, group="variables", metric=metric, map="difference", step="0",
        row="sequential/dense/kernel", **{"with": f'["{WELL}"]'},
    ))
    compared(tab, run, WELL)
    expect(tab.frame.locator(".heat-frame.pending")).to_have_count(0)
    heat = difference(tab, run, WELL, "variables", metric)
    row, cell = np.argwhere((heat.codes == 0) & np.isposinf(heat.values))[0]
    assert (row, cell) == (0, 0), "the first layer is dead from the first record on"
    canvas = tab.find("heatmap")
    expect(canvas).to_have_attribute("aria-label", re.compile("against this run"))
    canvas.focus()
    canvas.press("Home")
    canvas.press("Home")
    expect(tab.find("heatmap-readout")).to_contain_text("exactly 0 here only")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_barrier_in_a_comparison(served: str, open_tab: Open, theme: str) -> None:
    tab = open_tab(served, theme=theme, fragment=link(
        run=SICK, map="difference", hide='["deep-sigmoid"]',
        **{"with": f'["gone","dead-relu","{WELL}"]'},
    ))
    compared(tab, SICK, WELL)
    expect(tab.find("pairs")).to_be_visible()
    tab.frame.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    tab.frame.evaluate(AXE.read_text(encoding="utf-8"))
    result: dict[str, Any] = tab.frame.evaluate("axe.run(document)")
    assert [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in result["violations"] for node in violation["nodes"]
    ] == []


@pytest.mark.parametrize("width", [360, 768, 1360, 1920])
def test_a_comparison_is_not_cut_off_sideways(served: str, open_tab: Open, width: int) -> None:
    tab = open_tab(served, size=(width, 900), fragment=link(
        run="dead-relu", map="difference", **{"with": f'["unnormalized-input","{WELL}"]'},
    ))
    compared(tab, "dead-relu", WELL)
    expect(tab.find("pairs")).to_be_visible()
    page = "document.scrollingElement"
    assert tab.frame.evaluate(f"{page}.scrollWidth - {page}.clientWidth") <= 0


def test_a_layer_s_charts_read_both_runs(served: str, open_tab: Open) -> None:
    row = "sequential/dense/kernel"
    tab = open_tab(served, fragment=link(
        run=SICK, group="variables", metric="gradient_norm", row=row, step="20",
        **{"with": f'["{WELL}"]'},
    ))
    compared(tab, SICK, WELL)
    expect(tab.frame.locator(".row-key")).to_contain_text(WELL)
    values, steps = [], []
    for run in (SICK, WELL):
        group = next(g for g in tab.get("layers", run=run)["groups"] if g["group"] == "variables")
        index = [r["name"] for r in group["rows"]].index(row)
        layer = tab.get("layer", run=run, group="variables", row=str(index), points="600")
        norm = next(c for c in layer["columns"] if c["name"] == "gradient_norm")
        at = max(i for i, step in enumerate(layer["steps"]) if step <= 20)
        values.append(float(f"{norm['low'][at]:.3g}"))
        steps.append(layer["steps"][at])
    chart = tab.frame.locator(".small-chart").first
    said = chart.locator(".small-value").first.inner_text()
    assert [float(number) for number in re.findall(r"[\d.]+", said)] == values
    expect(chart.locator(".small-values .soft")).to_have_text(f"step {steps[0]}:")


def test_evidence_leads_to_where_it_was_seen(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    finding = tab.select(SICK)[0]
    seen = next(item for item in finding["evidence"] if item["layer"] and item["step"] is not None)
    where = f"{seen['layer']}, step {seen['step']}"
    tab.find("finding").first.get_by_role("button", name=where).first.click()
    expect_linked(tab, step=str(seen["step"]))
    rows = {r["name"]: r["layer"] for g in tab.get("layers", run=SICK)["groups"] for r in g["rows"]}
    assert seen["layer"] in (linked(tab)["row"], rows[linked(tab)["row"]])
    # What was selected stays; "Show again" leads back to where it began.
    tab.find("finding").first.get_by_test_id("show").first.click()
    expect_linked(tab, step=str(finding["first_step"]))


def test_a_finding_says_whether_the_other_run_has_it(served: str, open_tab: Open) -> None:
    tab = open_tab(served, fragment=link(run=SICK, **{"with": '["deep-sigmoid"]'}))
    said = compared(tab, SICK, "deep-sigmoid")
    both = {item["id"] for item in said["shared"]} | {
        item["id"] for item in said["findings"] if item["second"] not in {"none", "not evaluated"}
    }
    findings = tab.get("findings", run=SICK)["findings"]
    first = tab.find("finding", id=findings[0]["id"])
    expected = "Also in" if findings[0]["id"] in both else "Not found in"
    expect(first.locator(".where", has_text="deep-sigmoid").first).to_contain_text(expected)


def test_a_difference_in_the_table_opens_in_the_map(served: str, open_tab: Open) -> None:
    tab = open_tab(served, fragment=link(run=SICK, **{"with": f'["{WELL}"]'}))
    said = compared(tab, SICK, WELL)
    offered = {metric["name"]: group for group in tab.get("layers", run=SICK)["groups"]
               for metric in group["metrics"]}
    found = next(d for d in said["differences"] if d["statistic"] in offered)
    tab.find("compare-statistics").get_by_role("button").first.click()
    expect_linked(tab, map="difference", metric=found["statistic"], step=str(found["since_step"]))
    rows = {row["name"]: row["layer"] for row in offered[found["statistic"]]["rows"]}
    assert rows[linked(tab)["row"]] == found["first_row"]


def test_profiles_show_both_runs_at_the_same_step(served: str, open_tab: Open) -> None:
    sick = "deep-sigmoid"
    tab = open_tab(served, fragment=link(
        run=sick, group="variables", metric="gradient_norm", tab="profile",
        **{"with": f'["{WELL}"]'},
    ))
    partners = {one["group"]: one["partners"] for one in compared(tab, sick, WELL)["groups"]}
    groups = {one["group"]: one["rows"] for one in tab.get("layers", run=sick)["groups"]}
    expect(tab.find("profile")).to_have_count(3)
    expect(tab.frame.locator(".ends")).to_contain_text(WELL)
    tab.find("step").press("Home")
    shown = [("variables", "gradient_norm"), ("variables", "update_ratio"),
             ("activations", "activation_std")]
    seen = []
    for place, (group, metric) in enumerate(shown):
        own, other = (tab.heat(run, group, metric).values[:, 0] for run in (sick, WELL))
        names = [row["name"] for row in groups[group]]
        for key in ("Home", "ArrowRight", "ArrowRight", "End"):
            tab.find("profile").nth(place).press(key)
            readout = tab.find("profile-readout").nth(place)
            expect(readout).to_contain_text(f" · in {WELL} ")
            name, said, beside = readout.inner_text().split(" · ")
            row = names.index(name)
            assert float(said.rpartition("= ")[2]) == pytest.approx(float(own[row]), rel=0.01)
            partner, theirs = partners[group][row], beside.removeprefix(f"in {WELL} ")
            seen.append(partner)
            if partner is None:
                assert theirs == "no such row"
            else:
                assert float(theirs) == pytest.approx(float(other[partner]), rel=0.01)
    assert None in seen, "the healthy network has fewer layers"
    assert len(set(seen)) > 2


def test_the_output_beside_a_layer_is_compared_as_well(served: str, open_tab: Open) -> None:
    tab = open_tab(served, fragment=link(
        run=SICK, group="variables", metric="update_ratio", row="sequential/dense/kernel",
        **{"with": f'["{WELL}"]'},
    ))
    compared(tab, SICK, WELL)
    beside = tab.frame.locator(".beside ~ .small-charts .small-values").first
    expect(beside.locator(".dot").first).to_be_visible()
    colors = "all => new Set(all.map(one => one.style.background)).size"
    eventually(lambda: beside.locator(".dot").evaluate_all(colors), equals=2)  # one a run


def test_to_swap_keeps_what_is_looked_at(served: str, open_tab: Open) -> None:
    tab = open_tab(served, fragment=link(
        run=SICK, group="variables", metric="update_ratio", row="sequential/dense_1/kernel",
        step="9", **{"with": f'["{WELL}"]'},
    ))
    compared(tab, SICK, WELL)
    tab.find("swap-runs").click()
    compared(tab, WELL, SICK)
    expect_linked(tab, run=WELL, metric="update_ratio", row="sequential/dense_1/kernel", step="9",
                  **{"with": f'["{SICK}"]'})


def test_a_link_restores_the_whole_state(served: str, open_tab: Open) -> None:
    parts = {
        "run": SICK, "with": f'["dead-relu","{WELL}"]', "hide": '["deep-sigmoid"]',
        "runs": "e", "state": "sick", "by": "folder", "sort": "onset", "down": "1",
        "finding": "loss-divergence", "group": "activations",
        "metric": "activation_std", "row": "dense_1", "step": "12", "x": "relative",
        "smoothing": "0.2", "log": "0", "map": "difference", "order": "worst", "filter": "dense",
        "tab": "profile", "chart": "norms", "series": '["variable_global_norm"]',
    }
    tab = open_tab(served, fragment=link(**parts))
    compared(tab, SICK, WELL)
    expect(tab.find("heatmap")).to_be_visible()
    tab.written()
    assert linked(tab) == parts
    expect(tab.find("run-chip", run="deep-sigmoid")).to_have_count(0)
    expect(tab.frame.locator("#tab-profile")).to_have_attribute("aria-selected", "true")
    chosen = tab.find("finding", id="loss-divergence")
    expect(chosen).to_have_attribute("aria-current", "true")
    expect(tab.frame.locator(".legend-item", has_text="dead-relu")).to_be_visible()


def test_back_and_forward_lead_through_what_was_looked_at(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    tab.select(WELL)
    expect_linked(tab, run=WELL)
    tab.select(SICK)
    expect_linked(tab, run=SICK, finding="learning-rate-too-high")
    tab.find("compare-with").select_option(WELL)
    expect_linked(tab, **{"with": f'["{WELL}"]'})
    tab.page.go_back()
    expect(tab.find("comparison")).to_have_count(0)
    expect(tab.find("run-chip", run=SICK)).to_have_attribute("aria-pressed", "true")
    tab.page.go_back()
    expect(tab.find("run-chip", run=WELL)).to_have_attribute("aria-pressed", "true")
    expect_linked(tab, run=WELL)
    tab.page.go_forward()
    expect(tab.find("run-chip", run=SICK)).to_have_attribute("aria-pressed", "true")
    tab.page.go_forward()
    compared(tab, SICK, WELL)


def test_a_link_to_a_run_that_is_gone_says_so_and_shows_the_rest(
    served: str, open_tab: Open
) -> None:
    tab = open_tab(served, fragment=link(
        run="gone <b>1</b>", group="variables", metric="update_ratio", order="worst",
        **{"with": '["also gone"]'},
    ))
    banner = tab.find("missing-runs")
    expect(banner).to_contain_text("gone <b>1</b>")
    expect(banner).to_contain_text("also gone")
    expect(tab.frame.locator("select[name=metric]")).to_have_value("variables update_ratio")
    # The address goes on naming the run: it may be read a moment later.
    expect_linked(tab, run="gone <b>1</b>", metric="update_ratio", order="worst")
    banner.get_by_role("button", name="Dismiss").click()
    expect(banner).to_have_count(0)


def test_a_run_that_is_read_later_is_shown_as_the_link_asked(
    demo_logs: Path, tmp_path: Path, serve: Callable[..., str], open_tab: Open
) -> None:
    (tmp_path / WELL).symlink_to(demo_logs / WELL)
    tab = open_tab(serve(tmp_path, "--reload_interval=1"), fragment=link(run=SICK))
    expect(tab.find("missing-runs")).to_contain_text(SICK)
    (tmp_path / SICK).symlink_to(demo_logs / SICK)
    chip = tab.find("run-chip", run=SICK)
    tab.reload_until(chip.count)
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(tab.find("missing-runs")).to_have_count(0)


def test_what_is_over_stands_apart_from_what_needs_action(
    served: str, open_tab: Open, screenshots: Path
) -> None:
    tab = open_tab(served)
    tab.select(WELL)

    def recovered(route: Any) -> None:
        reply = route.fetch(timeout=SECONDS * 1000)
        said = reply.json()
        for finding in said["findings"][1:]:
            finding.update(explained_by=None, recovered_step=99, severity="info")
        route.fulfill(response=reply, json=said)

    tab.page.route("**/findings?**", recovered)
    tab.find("run-chip", run=SICK).click()
    folded = tab.find("recovered")
    expect(folded).to_contain_text(re.compile(r"Recovered: [A-Z][^:]* and \d+ more"))
    expect(tab.frame.locator(".finding-list > [data-testid=finding]")).to_have_count(1)
    inside = folded.get_by_test_id("finding")
    expect(inside.first).not_to_be_visible()
    folded.locator("summary").first.click()
    expect(inside.first).to_contain_text("recovered")
    tab.page.screenshot(path=screenshots / "recovered.png")
    # Its steps can be shown like those of any other; it stays open then.
    inside.first.get_by_test_id("show").click()
    expect(inside.first).to_have_attribute("aria-current", "true")
    expect(inside.first).to_be_visible()
