"""What pip, uv and the system say becomes a sentence with a way on."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from modelsheet_setup import disk
from modelsheet_setup.failures import explain


@pytest.mark.parametrize(
    ("output", "way_on"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "the disk is full"),
        ("OSError: [WinError 112] There is not enough space on the disk", "the disk is full"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "changes it on the way"),
        ("ERROR: Wheel 'torch' located at /tmp/torch.whl is invalid.", "arrived damaged"),
        ("ImportError: DLL load failed while importing _C: not found", "Redistributable"),
        ("OSError: [WinError 1114] Error loading c10.dll", "Redistributable"),
        ("libtorch.so: failed to map segment from shared object", "may not hold programs"),
        ("SSLError: CERTIFICATE_VERIFY_FAILED: self signed certificate", "PIP_CERT"),
        ("ProxyError('Cannot connect to proxy.', '407 Authentication Required')", "HTTPS_PROXY"),
        ("[WinError 206] The filename or extension is too long", "MODELSHEET_HOME"),
        ("PermissionError: [WinError 32] being used by another process", "virus scanner"),
        ("PermissionError: [WinError 5] Access is denied: 'torch_cpu.dll'", "virus scanner"),
        ("Failed to establish a new connection: Name or service not known", "Check the network"),
        ("ReadTimeoutError: Read timed out.", "Check the network"),
        ("ERROR: No matching distribution (from versions: none)", "Check the network"),
        ("ERROR: ResolutionImpossible: for help visit https://pip.pypa.io", "Check the network"),
        ("urllib3.exceptions.IncompleteRead(9 bytes read, 1 more expected)", "Check the network"),
        ("error: Permission denied (os error 13)", "Correct its rights"),
        ("first\nsomething quite new\n\n", "It said: “something quite new”"),
        ("", "It said: “…”"),
    ],
)
def test_sentences(output: str, way_on: str) -> None:
    sentence = str(explain("The backend", output, Path("/log")))

    assert sentence.startswith("“The backend” failed")
    assert way_on in sentence


def test_a_full_disk_of_which_nobody_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage(9, 8, 1000))

    sentence = str(explain("The virtual environment", "ensurepip returned 1", Path("/no/log")))

    assert "the disk is full" in sentence
