"""Vendor requests into the plugin: Krita's Python has neither requests nor pip.

The files are copied from the installed (pinned) packages, so no network is needed. They are pure
Python and namespaced, so that another plugin's requests is neither touched nor found.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from modelsheet.errors import NotFound

NAMESPACE = "modelsheet_krita._vendor"
PACKAGES = ("certifi", "charset_normalizer", "idna", "requests", "urllib3")

# Files only for command lines, tests, browsers or SOCKS proxies.
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
# Imports by a string, which the syntax tree does not show.
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

    Raises NotFound: one of the packages is not installed, or of an unsupported version.
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
    """Return the path below `_vendor` of an installed file; None leaves it out."""
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
    """Rewrite each absolute import of a vendored package to the copy in the plugin."""
    lines = source.encode().splitlines(keepends=True)
    # From the end, so that earlier positions stay valid.
    for node in sorted(_vendored_imports(source), key=_position, reverse=True):
        last = (node.end_lineno or node.lineno) - 1
        before = lines[node.lineno - 1][: node.col_offset]
        after = lines[last][node.end_col_offset :]
        lines[node.lineno - 1 : last + 1] = [before + _rewrite_import(node).encode() + after]
    return b"".join(lines).decode()


def _vendored_imports(source: str) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            if any(_is_vendored(alias.name) for alias in node.names):
                yield node
        elif (
            isinstance(node, ast.ImportFrom) and not node.level and _is_vendored(node.module or "")
        ):
            yield node


def _is_vendored(module: str) -> bool:
    return module.partition(".")[0] in PACKAGES


def _position(node: ast.stmt) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _rewrite_import(node: ast.Import | ast.ImportFrom) -> str:
    if isinstance(node, ast.ImportFrom):
        names = ", ".join(map(ast.unparse, node.names))
        return f"from {NAMESPACE}.{node.module} import {names}"
    return "; ".join(map(_rewrite_alias, node.names))


def _rewrite_alias(alias: ast.alias) -> str:
    top, _, rest = alias.name.partition(".")
    if top not in PACKAGES:
        return f"import {ast.unparse(alias)}"
    if alias.asname:
        parent, _, last = f"{NAMESPACE}.{alias.name}".rpartition(".")
        return f"from {parent} import {last} as {alias.asname}"
    # `import a.b` binds a, after loading a.b.
    bound = f"from {NAMESPACE} import {top}"
    return f"import {NAMESPACE}.{alias.name}; {bound}" if rest else bound
