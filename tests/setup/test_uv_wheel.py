"""uv comes through the index that this computer is set up to use, and is checked."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelsheet_setup import package_indexes, uv_wheel
from modelsheet_setup.errors import SetupCancelled, SetupError
from modelsheet_setup.package_indexes import PackageIndexes
from tests.setup.conftest import Computer

NAME = f"uv-{uv_wheel.UV_VERSION}-py3-none-some_system.whl"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small wheel of uv, known by its checksum."""
    path = tmp_path / "mirror" / NAME
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("uv-1.data/scripts/uv", b"program")
        archive.writestr("uv-1.data/scripts/uvx", b"another")
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(uv_wheel, "_WHEELS", {("linux", "x86_64"): ("some_system", checksum)})
    return path


def index(folder: Path, link: str) -> str:
    """Lay out an index with a page for uv; return its URL."""
    page = folder / "simple/uv/index.html"
    page.parent.mkdir(parents=True)
    page.write_text(f"<a href='{link}'>x</a>")
    return (folder / "simple").as_uri()


def fetch(computer: Computer, folder: Path, *urls: str, folders: tuple[str, ...] = ()) -> Path:
    indexes = PackageIndexes(urls, folders, "", "")
    return uv_wheel.fetch_uv(computer(), indexes, folder / "uv", lambda: None)


def test_from_an_index(computer: Computer, wheel: Path, tmp_path: Path) -> None:
    url = index(tmp_path, f"../../mirror/{NAME}#sha256=1")

    program = fetch(computer, tmp_path, url)

    assert program.read_bytes() == b"program"
    assert sys.platform == "win32" or program.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in program.parent.iterdir()] == ["uv"]
    wheel.unlink()
    assert fetch(computer, tmp_path) == program, "it is not fetched again"


def test_from_a_folder_of_wheels(computer: Computer, wheel: Path, tmp_path: Path) -> None:
    program = fetch(computer, tmp_path, folders=(str(wheel.parent),))

    assert program.read_bytes() == b"program"


def test_the_next_index_is_asked(computer: Computer, wheel: Path, tmp_path: Path) -> None:
    url = index(tmp_path, f"../../mirror/{NAME}")

    assert fetch(computer, tmp_path, (tmp_path / "nothing").as_uri(), url).is_file()


def test_another_file_is_refused(computer: Computer, wheel: Path, tmp_path: Path) -> None:
    wheel.write_bytes(wheel.read_bytes() + b"!")

    with pytest.raises(SetupError, match="not the file that Modelsheet was tested with"):
        fetch(computer, tmp_path, folders=(str(wheel.parent),))
    assert not list((tmp_path / "uv").rglob("uv*"))


def test_no_index_in_reach_is_a_sentence(computer: Computer, wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="Check the network"):
        fetch(computer, tmp_path, "http://127.0.0.1:9/simple")


def test_a_processor_without_uv_is_a_sentence(computer: Computer, tmp_path: Path) -> None:
    indexes = PackageIndexes((), (), "", "")
    with pytest.raises(SetupError, match="Install one, then try again"):
        uv_wheel.fetch_uv(computer(machine="riscv64"), indexes, tmp_path, lambda: None)


def test_it_may_be_cancelled(computer: Computer, wheel: Path, tmp_path: Path) -> None:
    def check() -> None:
        raise SetupCancelled

    indexes = PackageIndexes((), (str(wheel.parent),), "", "")
    with pytest.raises(SetupCancelled):
        uv_wheel.fetch_uv(computer(), indexes, tmp_path / "uv", check)


def test_every_common_computer_has_a_wheel(computer: Computer) -> None:
    common = [("linux", "aarch64"), ("darwin", "arm64"), ("darwin", "x86_64"), ("win32", "AMD64")]

    names = {uv_wheel._wheel(computer(*one))[0] for one in common}

    assert len(names) == len(common)


def test_name_and_password_of_an_index_are_not_in_the_url() -> None:
    request = uv_wheel._request("https://me:p%40ss@host/simple/uv/")

    assert request.full_url == "https://host/simple/uv/"
    assert request.get_header("Authorization") == "Basic bWU6cEBzcw=="


def test_indexes_of_variables_and_of_pips_file(computer: Computer, tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://file/simple/\nextra-index-url = https://a\n  https://b\n"
        "cert = /c.pem\nproxy = http://p:8080\n[install]\nfind-links = /wheels\n"
    )
    platform = computer(PIP_CONFIG_FILE=str(file))

    found = package_indexes.read(platform)

    assert found.urls == ("https://file/simple", "https://a", "https://b")
    assert found == PackageIndexes(found.urls, ("/wheels",), "/c.pem", "http://p:8080")
    more = computer(PIP_CONFIG_FILE=str(file), PIP_INDEX_URL="https://variable")
    assert package_indexes.read(more).urls[0] == "https://variable"
    more = computer(UV_INDEX_URL="https://uv", PIP_INDEX_URL="https://variable")
    assert package_indexes.read(more).urls[0] == "https://uv"


def test_no_index_is_obeyed(computer: Computer) -> None:
    assert package_indexes.read(computer(PIP_NO_INDEX="1")).urls == ()


def test_a_spoilt_pip_file_is_passed_over(computer: Computer, tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_bytes(b"\xff\xfe no")

    found = package_indexes.read(computer(PIP_CONFIG_FILE=str(tmp_path / "pip.conf")))

    assert found.urls == ("https://pypi.org/simple",)
