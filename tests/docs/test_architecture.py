"""The layers that the documentation shows are those that are checked; what no contract can say of imports is here."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import tomli

from tests.provision.warm_modules import IN_DOUBT, NOX_END, NOX_WARM

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT: Final = Path(__file__).parents[2]
_PACKAGE: Final = "nox_linkenv"
#: Modules that choose what is loaded: by the host, by the command, by whether a request was answered before.
_CHOOSING: Final = ("nox_linkenv._hook", "nox_linkenv.cli", "nox_linkenv.provision.installer", "nox_linkenv.plugins")
#: On the warm path of some requests: those with local projects, whose ``pyproject.toml`` is read only when it has
#: changed, and whose surroundings tell where a build has looked; those in environments with another pip, which is
#: watched only when it is not known yet; and those that are renewed, for which an index is asked only where nobody
#: has just asked it.
_WARM_SOMETIMES: Final = frozenset(
    {
        "nox_linkenv.projects.surroundings",
        "nox_linkenv.projects.tree_index",
        "nox_linkenv.env.interpreter.other_pip",
        "nox_linkenv.resolve.renewal",
    }
)


def sources() -> dict[str, ast.Module]:
    """Return the syntax trees of all modules by their names."""
    found = {}
    for path in sorted((_ROOT / _PACKAGE).rglob("*.py")):
        name = ".".join(path.relative_to(_ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(tree: ast.AST, modules: set[str], *, late: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield the modules of ours that *tree* imports, for types or at run time, and whether in a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                if name in modules:
                    yield name, late
                elif node.module in modules:
                    yield node.module, late
        elif isinstance(node, ast.Import):
            yield from ((alias.name, late) for alias in node.names if alias.name in modules)
        yield from imports(node, modules, late=late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return the modules of an import circle, or none."""
    done: set[str] = set()

    def follow(name: str, way: list[str]) -> list[str]:
        if name in way:
            return way[way.index(name) :]
        if name in done:
            return []
        for other in sorted(graph[name]):
            if found := follow(other, [*way, name]):
                return found
        done.add(name)
        return []

    return next(filter(None, (follow(name, []) for name in sorted(graph))), [])


def test_the_layers_are_those_of_the_contract() -> None:
    linter = tomli.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    assert not linter.get("exclude_type_checking_imports", False)
    contract = next(contract for contract in linter["contracts"] if contract["type"] == "layers")
    assert contract["exhaustive"], "no module stands outside"
    assert not contract.get("ignore_imports"), "no exception"
    block = (_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").split("```")[1]
    assert [line.partition("  ")[0] for line in block.splitlines()[1:]] == contract["layers"]


def test_no_import_circle() -> None:
    """Those for type checkers, and those in functions, count, too."""
    modules = sources()
    graph: dict[str, set[str]] = defaultdict(set)
    for name, tree in modules.items():
        graph[name] = {other for other, _ in imports(tree, set(modules))} - {name}
    assert circle(graph) == []


def test_what_is_imported_late() -> None:
    """A module of ours is imported in a function only where one is chosen, and on the warm path, which lacks it."""
    modules = sources()
    warm = NOX_WARM | NOX_END
    wrong = [
        f"{name} imports {other} in a function"
        for name, tree in modules.items()
        if name not in _CHOOSING and not name.startswith("nox_linkenv.plugins.") and name not in _WARM_SOMETIMES
        for other, late in imports(tree, set(modules))
        if late and not (name in warm | IN_DOUBT and (other not in NOX_WARM or (name in NOX_END and other not in warm)))
    ]
    assert wrong == []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == ["b", "c"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
