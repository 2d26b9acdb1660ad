"""Fetch uv, a static program that can bring a Python, where none is on the computer.

PyPI and its mirrors carry it as a wheel, so that it comes through the index that this computer is
set up to use. It is compared with the checksum below and unpacked into a folder of this user's.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import ssl
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

from .errors import SetupError
from .failures import explain
from .package_indexes import PackageIndexes
from .platforms import Platform

UV_VERSION = "0.13.9"
UV_MB = 20
# By system and architecture: the end of the wheel's name, and the sha256 of the file.
_WHEELS = {
    ("linux", "x86_64"): (
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    ("linux", "arm64"): (
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe",
    ),
    ("darwin", "x86_64"): (
        "macosx_10_12_x86_64",
        "c16ed11e013557536b3e60065f1b912f6407bd6518e041b961e23ef9e6b4fbf5",
    ),
    ("darwin", "arm64"): (
        "macosx_11_0_arm64",
        "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63",
    ),
    ("win32", "x86_64"): (
        "win_amd64",
        "6a44b2ed8111d2f60d2b92627c5dccda3f7ed7570b18ce115e569cd68c28246b",
    ),
    ("win32", "arm64"): (
        "win_arm64",
        "eeb92051c2123b9730c46b04cc843cfa4bc7d7b0aec56df431a2215ef4cb0273",
    ),
}
_LINK = re.compile(r"""href=["']([^"']+)["']""", re.IGNORECASE)
_CHUNK = 1 << 18
_TIMEOUT_S = 60.0
_STEP = "A Python for the backend"


def fetch_uv(
    platform: Platform, indexes: PackageIndexes, folder: Path, check: Callable[[], None]
) -> Path:
    """Return uv's path in `folder`; download it if it is not there.

    `check` is called now and then and may raise. Raises SetupError.
    """
    name, checksum = _wheel(platform)
    program = folder / f"{UV_VERSION}-{checksum[:12]}" / ("uv.exe" if platform.is_windows else "uv")
    if program.is_file():
        return program
    program.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    wheel = program.with_name("uv.whl")
    try:
        _download(name, checksum, wheel, indexes, check)
        unpack(wheel, program)
    finally:
        wheel.unlink(missing_ok=True)
    return program


def _wheel(platform: Platform) -> tuple[str, str]:
    found = _WHEELS.get((platform.system, platform.architecture))
    if found is None:
        raise SetupError(
            "No Python from 3.10 to 3.14 was found, and none can be fetched for this kind of "
            "processor. Install one, then try again."
        )
    return f"uv-{UV_VERSION}-py3-none-{found[0]}.whl", found[1]


def _download(
    name: str,
    checksum: str,
    target: Path,
    indexes: PackageIndexes,
    check: Callable[[], None],
) -> None:
    opener = _opener(indexes)
    failure: Exception | None = None
    is_another = False
    for place in _places(indexes):
        check()
        try:
            address = _find(opener, place, name)
            if address is not None:
                is_another = not _save(opener, address, checksum, target, check)
                if not is_another:
                    return
        except OSError as error:
            failure = error
    log = target.parent
    if is_another:
        raise explain(_STEP, "do not match the hashes", log)
    raise explain(_STEP, str(failure or f"connection: no index has {name}"), log)


def _opener(indexes: PackageIndexes) -> urllib.request.OpenerDirector:
    context = ssl.create_default_context(cafile=indexes.certificates or None)
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
    if indexes.proxy:
        proxies = {"http": indexes.proxy, "https": indexes.proxy}
        handlers.append(urllib.request.ProxyHandler(proxies))
    return urllib.request.build_opener(*handlers)


def _places(indexes: PackageIndexes) -> Iterator[str]:
    """Yield folders with wheels as addresses, then uv's page in each index."""
    for folder in indexes.folders:
        yield folder if "://" in folder else Path(folder).absolute().as_uri()
    for url in indexes.urls:
        yield f"{url}/uv/"


def _find(opener: urllib.request.OpenerDirector, place: str, name: str) -> str | None:
    """Return the address of the file of that name in a folder or on an index page."""
    if place.startswith("file:"):
        folder = Path(urllib.request.url2pathname(urllib.parse.urlsplit(place).path))
        if (folder / name).is_file():
            return (folder / name).as_uri()
        if not (folder / "index.html").is_file():
            return None
        place = (folder / "index.html").as_uri()
    with opener.open(_request(place), timeout=_TIMEOUT_S) as answer:
        page, base = answer.read().decode("utf-8", "replace"), str(answer.geturl())
    for link in _LINK.findall(page):
        address: str = urllib.parse.urljoin(base, html.unescape(link)).partition("#")[0]
        if urllib.parse.unquote(address).endswith(f"/{name}"):
            return address
    return None


def _request(url: str) -> urllib.request.Request:
    """Make a request; a name and password in the URL become a header."""
    parts = urllib.parse.urlsplit(url)
    if not parts.username:
        return urllib.request.Request(url)
    host = parts.netloc.rpartition("@")[2]
    plain = urllib.parse.urlunsplit(parts._replace(netloc=host))
    user, password = map(urllib.parse.unquote, (parts.username, parts.password or ""))
    secret = base64.b64encode(f"{user}:{password}".encode()).decode()
    return urllib.request.Request(plain, headers={"Authorization": f"Basic {secret}"})


def _save(
    opener: urllib.request.OpenerDirector,
    address: str,
    checksum: str,
    target: Path,
    check: Callable[[], None],
) -> bool:
    """Download a file; tell whether it has the checksum."""
    digest = hashlib.sha256()
    with opener.open(_request(address), timeout=_TIMEOUT_S) as answer, target.open("wb") as file:
        while True:
            check()
            chunk = answer.read(_CHUNK)
            if not chunk:
                return digest.hexdigest() == checksum
            digest.update(chunk)
            file.write(chunk)


def unpack(wheel: Path, program: Path) -> None:
    """Take the program alone out of a wheel that has been checked."""
    with zipfile.ZipFile(wheel) as archive:
        (entry,) = (one for one in archive.namelist() if one.endswith(f"/scripts/{program.name}"))
        partial = program.with_suffix(".part")
        partial.write_bytes(archive.read(entry))
    partial.chmod(0o700)
    partial.replace(program)
