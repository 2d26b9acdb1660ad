"""Read which package indexes this computer is set up to use: pip's and uv's configuration.

pip reads its own; this is for what is fetched where no pip is.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

from .platforms import Platform

_DEFAULT = "https://pypi.org/simple"


@dataclass(frozen=True)
class PackageIndexes:
    """URLs of indexes and addresses of folders with wheels, in order; certificates; proxy."""

    urls: tuple[str, ...]
    folders: tuple[str, ...]
    certificates: str
    proxy: str


def read(platform: Platform) -> PackageIndexes:
    """Return the indexes: uv's variables, then pip's, then pip's files, then PyPI."""
    settings = _pip_settings(platform)
    variable = platform.environment.get

    def of_pip(name: str) -> str:
        return variable(f"PIP_{name.upper().replace('-', '_')}") or settings.get(name, "")

    main = variable("UV_DEFAULT_INDEX") or variable("UV_INDEX_URL") or of_pip("index-url")
    more = " ".join(
        [variable("UV_INDEX", ""), variable("UV_EXTRA_INDEX_URL", ""), of_pip("extra-index-url")]
    )
    is_offline = of_pip("no-index").lower() in ("1", "true", "yes", "on")
    urls = (main or _DEFAULT, *more.split())
    certificates = variable("SSL_CERT_FILE") or of_pip("cert") or variable("REQUESTS_CA_BUNDLE", "")
    return PackageIndexes(
        () if is_offline else tuple(one.rstrip("/") for one in urls),
        tuple(of_pip("find-links").split()),
        certificates,
        of_pip("proxy"),
    )


def _pip_settings(platform: Platform) -> dict[str, str]:
    """Merge pip's files; the section of a command counts more than the global one."""
    merged: dict[str, str] = {}
    sections = [_sections(path) for path in platform.pip_configurations()]
    for section in ("global", "install", "download"):
        for one in sections:
            merged |= one.get(section, {})
    return merged


def _sections(path: Path) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, configparser.Error):
        return {}
    return {name: dict(parser.items(name)) for name in parser.sections()}
