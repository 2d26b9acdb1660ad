"""Read the graph of imports from syntax trees alone; imports inside functions count too."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

Graph = Mapping[str, frozenset[str]]


def module_name(root: Path, path: Path) -> str:
    """Name the module in `path`, for a tree whose import root is `root`."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_trees(root: Path, package: str) -> dict[str, ast.Module]:
    """Parse each module of `package`; vendored code is not ours and left out."""
    paths = sorted(path for path in (root / package).rglob("*.py") if "_vendor" not in path.parts)
    return {module_name(root, path): ast.parse(path.read_text("utf-8")) for path in paths}


def read_graph(root: Path, package: str, *, with_types: bool = True) -> Graph:
    """Map each module of `package` to all it imports, ours and others', by full dotted name;
    without `with_types` leave out what is imported under `if TYPE_CHECKING` alone.
    """
    trees = read_trees(root, package)
    if not with_types:
        trees = {name: _without_type_checking(tree) for name, tree in trees.items()}
    packages = {name for name in trees if any(other.startswith(f"{name}.") for other in trees)}
    return {
        name: frozenset(_imported(name, tree, name in packages, trees.keys()))
        for name, tree in trees.items()
    }


def _without_type_checking(tree: ast.Module) -> ast.Module:
    kept = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"))
    ]
    return ast.Module(kept, [])


def _imported(
    name: str, tree: ast.Module, is_package: bool, known: Collection[str]
) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(name, node, is_package)
            for alias in node.names:
                child = f"{base}.{alias.name}"
                yield child if child in known else base


def _absolute(name: str, node: ast.ImportFrom, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = name.split(".")
    above = parts[: len(parts) - node.level + is_package]
    return ".".join([*above, node.module] if node.module else above)


def is_within(module: str, rooms: frozenset[str]) -> bool:
    """Tell whether `module` is one of `rooms` or lies inside one."""
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def importers(graph: Graph, libraries: frozenset[str]) -> set[str]:
    """Find the modules that import one of `libraries` themselves."""
    return {
        name for name, targets in graph.items() if any(is_within(t, libraries) for t in targets)
    }


def reached(graph: Graph, start: str) -> set[str]:
    """Find all that importing `start` may pull in: libraries, and the packages around each."""
    return _followed(graph, start, with_parents=True) - {start}


def cycles(graph: Graph) -> list[str]:
    """List the modules that come back to themselves by what they import."""
    return sorted(name for name in graph if name in _followed(graph, name))


def packages(graph: Graph, depth: int) -> Graph:
    """Merge the modules of `graph` into packages, `depth` levels below its root, and map each
    package to the packages it imports. A module beside packages counts as one of its own.
    """
    merged: dict[str, set[str]] = {}
    inner = {name.rpartition(".")[0] for name in graph} | {name.partition(".")[0] for name in graph}
    for name, targets in graph.items():
        place = _package(name, depth, inner)
        ours = {_package(target, depth, inner) for target in targets if target in graph}
        merged.setdefault(place, set()).update(ours - {place})
    return {name: frozenset(targets) for name, targets in merged.items()}


def _package(module: str, depth: int, inner: Collection[str]) -> str:
    """Name the package of `module`, cut off `depth` levels below the root."""
    root, _, rest = module.partition(".")
    home = module if module in inner else module.rpartition(".")[0]
    if home == root and rest:
        return module
    return ".".join(home.split(".")[: depth + 1])


def _followed(graph: Graph, start: str, *, with_parents: bool = False) -> set[str]:
    seen: set[str] = set()
    waiting = _next(graph, start, with_parents)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(_next(graph, name, with_parents))
    return seen


def _next(graph: Graph, name: str, with_parents: bool) -> list[str]:
    # Python runs a package's __init__ before the module inside it.
    parent = name.rpartition(".")[0]
    return [*graph.get(name, ()), *([parent] if with_parents and parent else [])]
