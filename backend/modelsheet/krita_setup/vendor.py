"""Gives the plugin its own copy of requests: Krita's Python has none and no pip.

The copy is taken from what is installed beside us (the pinned wheels), so it needs no network. It
is pure Python and namespaced, so that no other plugin's requests is touched or found.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from modelsheet.errors import NotFound

NAMESPACE = "modelsheet_krita._vendor"
PACKAGES = ("certifi", "charset_normalizer", "idna", "requests", "urllib3")

# What only a command line, a test run, a browser or a SOCKS proxy needs.
DROPPED = (
    "certifi/__main__.py",
    "certifi/tests/",
    "charset_normalizer/__main__.py",
    "charset_normalizer/cli/",
    "idna/__main__.py",
    "idna/cli.py",
    "requests/help.py",
    "urllib3/contrib/emscripten/",
    "urllib3/contrib/pyopenssl.py",
    "urllib3/contrib/socks.py",
)
# Names that are imported by a string and therefore escape the syntax tree.
SUBSTITUTIONS = {
    "certifi/core.py": ('"certifi"', f'"{NAMESPACE}.certifi"'),
    "requests/compat.py": (
        '("chardet", "charset_normalizer")',
        f'("{NAMESPACE}.charset_normalizer",)',
    ),
}
REPLACEMENTS = {
    "requests/packages.py": '"""The aliases requests.packages.* would leave the namespace."""\n',
}


def vendored_files() -> dict[str, bytes]:
    """Map each path below `_vendor` to its content, ready to write.

    Raises NotFound: one of the packages is not installed, or of a version we cannot take apart.
    """
    files = {"__init__.py": b'"""Copies of other people\'s packages; see vendor.txt."""\n'}
    versions = []
    for package in PACKAGES:
        distribution = _distribution(package)
        versions.append(f"{package}=={distribution.version}\n")
        for path in distribution.files or ():
            name = _target(package, path.as_posix())
            if name:
                files[name] = _content(name, Path(str(path.locate())))
    files["vendor.txt"] = "".join(versions).encode()
    return files


def _distribution(package: str) -> metadata.Distribution:
    try:
        return metadata.distribution(package)
    except metadata.PackageNotFoundError:
        raise NotFound(
            f"The plugin needs the Python package {package}, which is not installed beside the "
            "backend. Run ./install.sh again."
        ) from None


def _target(package: str, path: str) -> str | None:
    """Say where below `_vendor` an installed file goes; None leaves it out."""
    if path.startswith(f"{package}/"):
        is_wanted = path.endswith((".py", ".pem")) and not path.startswith(DROPPED)
        return path if is_wanted else None
    name = Path(path).name
    if ".dist-info/" in path and name.upper().startswith(("LICENSE", "LICENCE", "NOTICE")):
        return f"{package}/{name}"
    return None


def _content(name: str, source: Path) -> bytes:
    if name in REPLACEMENTS:
        return REPLACEMENTS[name].encode()
    if not name.endswith(".py"):
        return source.read_bytes()
    text = source.read_text("utf-8")
    if name in SUBSTITUTIONS:
        old, new = SUBSTITUTIONS[name]
        if old not in text:
            raise NotFound(
                f"The installed {name} is of a version that the plugin cannot use. Install the "
                "versions named in constraints.txt."
            )
        text = text.replace(old, new)
    return namespace_imports(text).encode()


def namespace_imports(source: str) -> str:
    """Rewrite each absolute import of a vendored package so that it finds our copy."""
    lines = source.encode().splitlines(keepends=True)
    # From the end, so that what is still to do keeps its place.
    for node in sorted(_our_imports(source), key=_position, reverse=True):
        last = (node.end_lineno or node.lineno) - 1
        before = lines[node.lineno - 1][: node.col_offset]
        after = lines[last][node.end_col_offset :]
        lines[node.lineno - 1 : last + 1] = [before + _rewritten(node).encode() + after]
    return b"".join(lines).decode()


def _our_imports(source: str) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            if any(_is_ours(alias.name) for alias in node.names):
                yield node
        elif isinstance(node, ast.ImportFrom) and not node.level and _is_ours(node.module or ""):
            yield node


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in PACKAGES


def _position(node: ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _rewritten(node: ast.Import | ast.ImportFrom) -> str:
    if isinstance(node, ast.ImportFrom):
        names = ", ".join(map(ast.unparse, node.names))
        return f"from {NAMESPACE}.{node.module} import {names}"
    return "; ".join(map(_rewritten_alias, node.names))


def _rewritten_alias(alias: ast.alias) -> str:
    top, _, rest = alias.name.partition(".")
    if top not in PACKAGES:
        return f"import {ast.unparse(alias)}"
    if alias.asname:
        parent, _, last = f"{NAMESPACE}.{alias.name}".rpartition(".")
        return f"from {parent} import {last} as {alias.asname}"
    # `import a.b` binds a, after loading a.b.
    bound = f"from {NAMESPACE} import {top}"
    return f"import {NAMESPACE}.{alias.name}; {bound}" if rest else bound
