"""When the built page is taken as it is, and when it has to be built again."""

from __future__ import annotations

from pathlib import Path

import backend
import bundle
import pytest
import toolchain


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout whose frontend has no dependencies: building it copies its script."""
    frontend = tmp_path / "frontend"
    (frontend / "src").mkdir(parents=True)
    (frontend / "package.json").write_text('{"name": "page", "version": "0.0.0"}')
    (frontend / "src" / "index.js").write_text("export function render() {}\n")
    (tmp_path / "LICENSE").write_text("license")
    (tmp_path / "tb_convergence").mkdir()
    (tmp_path / "tb_convergence" / "__init__.py").write_text("")
    monkeypatch.setattr(bundle, "ROOT", tmp_path)
    monkeypatch.setattr(bundle, "FRONTEND", frontend)
    return tmp_path


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands of the builds that were made, instead of running Node.js."""
    made: list[str] = []

    class Recorder:
        def run(self, command: tuple[str, ...], directory: Path) -> None:
            made.append(" ".join(command[:2]))
            if command[0] == "node":
                built = (directory / "src" / "index.js").read_text()
                (directory.parent / bundle.STATIC / "index.js").write_text(built)

    monkeypatch.setattr(bundle, "find", Recorder)
    return made


def test_a_bundle_is_built_once_for_the_same_sources(checkout: Path, builds: list[str]) -> None:
    static = checkout / bundle.STATIC
    assert not bundle.is_current()
    assert bundle.provide(static, with_digest=True) == [static / "index.js"]
    bundle.provide(static, with_digest=True)
    assert builds == ["npm ci", "node build.mjs"]
    assert bundle.is_current()


@pytest.mark.parametrize("change", ["source", "new source", "bundle", "digest"])
def test_it_is_stale_when_sources_or_bundle_changed(
    checkout: Path, builds: list[str], change: str
) -> None:
    static = checkout / bundle.STATIC
    bundle.provide(static, with_digest=True)
    {
        "source": lambda: (checkout / "frontend/src/index.js").write_text("changed"),
        "new source": lambda: (checkout / "frontend/src/more.css").write_text("a{}"),
        "bundle": lambda: (static / "index.js").write_text("built by hand"),
        "digest": (static / bundle.DIGEST).unlink,
    }[change]()
    assert not bundle.is_current()
    bundle.provide(static, with_digest=True)
    assert len(builds) == 4


def test_tests_and_installed_packages_do_not_count(checkout: Path, builds: list[str]) -> None:
    bundle.provide(checkout / bundle.STATIC, with_digest=True)
    for name in ("test/x.test.js", "node_modules/esbuild/main.js", ".cache/x"):
        path = checkout / "frontend" / name
        path.parent.mkdir(parents=True)
        path.write_text("x")
    assert bundle.is_current()


def test_a_wheel_gets_the_bundle_without_the_digest_and_without_old_files(
    checkout: Path, builds: list[str], tmp_path: Path
) -> None:
    bundle.provide(checkout / bundle.STATIC, with_digest=True)
    wheel = tmp_path / "build" / "static"
    wheel.mkdir(parents=True)
    (wheel / "left-over.js").write_text("x")
    bundle.provide(wheel)
    assert [path.name for path in wheel.iterdir()] == ["index.js"]
    assert len(builds) == 2, "a current bundle is copied, not built again"


def test_a_build_leaves_the_source_tree_as_it_was(checkout: Path, builds: list[str]) -> None:
    before = sorted(checkout.rglob("*"))
    bundle.provide(checkout / "out")
    assert sorted(p for p in checkout.rglob("*") if "out" not in p.parts) == before


def test_a_failing_build_says_what_to_do(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def run(self, command: tuple[str, ...], directory: Path) -> None:
            raise toolchain.ToolchainError("'npm ci' failed")

    monkeypatch.setattr(bundle, "find", Failing)
    with pytest.raises(
        toolchain.ToolchainError, match=r"could not be built: 'npm ci' failed.*wheel"
    ):
        bundle.provide(checkout / bundle.STATIC)
    assert not (checkout / bundle.STATIC).exists()


def test_node_is_a_build_requirement_only_where_it_is_needed(
    checkout: Path, builds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> None:
        return None

    def required() -> list[str]:
        return [*backend.get_requires_for_build_wheel(), *backend.get_requires_for_build_sdist()]

    for hook in ("get_requires_for_build_wheel", "get_requires_for_build_sdist"):
        monkeypatch.setattr(backend.build_meta, hook, lambda settings: ["setuptools"])
    here = toolchain.Toolchain("node", ("npm",))
    monkeypatch.setattr(toolchain, "on_path", nowhere)
    assert required() == 2 * ["setuptools", toolchain.WHEEL]
    monkeypatch.setattr(toolchain, "on_path", lambda: here)
    assert required() == 2 * ["setuptools"]
    monkeypatch.setattr(toolchain, "on_path", nowhere)
    bundle.provide(checkout / bundle.STATIC, with_digest=True)
    assert required() == 2 * ["setuptools"]
