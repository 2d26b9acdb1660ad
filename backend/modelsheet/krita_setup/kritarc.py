"""Krita's settings file: enable and disable a plugin, and read the resource folder.

Edited line by line: all other lines of the file stay unchanged, byte for byte.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

GROUP = "[python]"


def resource_folder(kritarc: Path) -> Path | None:
    """Return the resource folder that the user chose in Krita's settings, if any."""
    for line in _lines(kritarc):
        if line.startswith("["):
            return None
        key, _, value = line.partition("=")
        if key.strip() == "ResourceDirectory" and value.strip():
            return Path(value.strip())
    return None


def enable_plugin(kritarc: Path, module: str) -> None:
    """Make Krita load `module` at its next start."""
    lines = _without(_lines(kritarc), module)
    if GROUP not in map(str.strip, lines):
        lines += ["\n"] * bool(lines) + [f"{GROUP}\n"]
    group = [line.strip() for line in lines].index(GROUP)
    lines.insert(group + 1, f"{_key(module)}=true\n")
    _write(kritarc, lines)


def disable_plugin(kritarc: Path, module: str) -> bool:
    """Remove the entry of `module`; tell whether there was one."""
    before = _lines(kritarc)
    after = _without(before, module)
    if after == before:
        return False
    _write(kritarc, after)
    return True


def is_enabled(kritarc: Path, module: str) -> bool:
    """Tell whether Krita will load `module` at its next start."""
    lines = _lines(kritarc)
    ours = Counter(lines) - Counter(_without(lines, module))
    return any(line.partition("=")[2].strip() == "true" for line in ours)


def _key(module: str) -> str:
    return f"enable_{module}"


def _without(lines: list[str], module: str) -> list[str]:
    kept = []
    group = ""
    for line in lines:
        if line.startswith("["):
            group = line.strip()
        is_ours = group == GROUP and line.partition("=")[0].strip() == _key(module)
        if not is_ours:
            kept.append(line)
    return kept


def _lines(kritarc: Path) -> list[str]:
    try:
        text = kritarc.read_bytes().decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return []
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    return lines


def _write(kritarc: Path, lines: list[str]) -> None:
    # A symbolic link (to settings in a repository) stays a link.
    target = kritarc.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".kritarc-")
    with os.fdopen(handle, "wb") as file:
        file.write("".join(lines).encode("utf-8", "surrogateescape"))
    temporary = Path(name)
    temporary.chmod(mode)
    temporary.replace(target)
