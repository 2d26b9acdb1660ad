"""The plugin's vendored requests works alone and does not touch another copy."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelsheet.krita_setup import vendor_requests

NS = vendor_requests.NAMESPACE
ASKING = """
import sys
sys.path.insert(0, sys.argv[1])
from modelsheet_krita._vendor import requests
session = requests.Session()
session.trust_env = False
try:
    session.get("http://127.0.0.1:9/", timeout=5)
except requests.ConnectionError:
    pass
assert requests.certs.where().startswith(sys.argv[1]), requests.certs.where()
leaked = {"requests", "urllib3", "idna", "certifi", "charset_normalizer"} & set(sys.modules)
assert not leaked, leaked
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import urllib3", f"from {NS} import urllib3"),
        ("import urllib3.util as u", f"from {NS}.urllib3 import util as u"),
        ("import urllib3.util", f"import {NS}.urllib3.util; from {NS} import urllib3"),
        ("import os, idna", f"import os; from {NS} import idna"),
        (
            "from urllib3.util import (\n  a,\n  b as c,\n)",
            f"from {NS}.urllib3.util import a, b as c",
        ),
        ("try: import idna\nexcept E: é = 1", f"try: from {NS} import idna\nexcept E: é = 1"),
        ("é = 1; import idna; x = 2", f"é = 1; from {NS} import idna; x = 2"),
        ("from .urllib3 import x", "from .urllib3 import x"),
        ("import idnaish", "import idnaish"),
        ("text = 'import idna'", "text = 'import idna'"),
    ],
)
def test_imports_are_namespaced(before: str, after: str) -> None:
    assert vendor_requests.namespace_imports(before) == after


def test_the_copy_is_pure_python_with_versions_and_licences() -> None:
    files = vendor_requests.vendored_files()

    assert {Path(name).suffix for name in files} <= {".py", ".pem", ".txt", ".md", ""}
    assert b"requests==" in files["vendor.txt"]
    for package in vendor_requests.PACKAGES:
        assert f"{package}/__init__.py" in files
        assert [name for name in files if name.upper().startswith(f"{package}/LICEN".upper())]


def pythons() -> list[str]:
    others = [shutil.which(f"python3.{minor}") for minor in range(10, 15)]
    usable = [path for path in others if path and not subprocess.run([path, "-c", ""]).returncode]
    return [sys.executable, *usable]


def test_the_copy_works_alone_in_every_python_here(tmp_path: Path) -> None:
    package = tmp_path / "modelsheet_krita"
    for name, content in vendor_requests.vendored_files().items():
        target = package / "_vendor" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (package / "__init__.py").write_text("")

    for python in pythons():
        subprocess.run([python, "-S", "-E", "-c", ASKING, str(tmp_path)], check=True)
