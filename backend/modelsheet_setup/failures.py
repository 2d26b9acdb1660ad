"""Tell from what pip or uv said why a step failed, and what helps."""

from __future__ import annotations

import re
from pathlib import Path

from .disk import free_bytes
from .errors import SetupError

_LITTLE = 20 << 20  # bytes


def explain(step: str, output: str, log: Path) -> SetupError:
    """Return the error of a step that failed with this output."""
    for pattern, sentence in _sentences(step, log):
        if re.search(pattern, output, re.IGNORECASE):
            return SetupError(sentence)
    if free_bytes(log.parent) < _LITTLE:  # venv does not say what its pip said
        return SetupError(_disk_is_full(step))
    last = next((line for line in reversed(output.splitlines()) if line.strip()), "…")
    return SetupError(
        f"“{step}” failed. It said: “{last.strip()}”. Mend that, then try again. (Log: {log})"
    )


def _disk_is_full(step: str) -> str:
    return f"“{step}” failed: the disk is full. Make room, then try again."


def _sentences(step: str, log: Path) -> tuple[tuple[str, str], ...]:
    """Pair each pattern with its sentence; the first that is found counts."""
    return (
        (
            r"no space left|disk quota|not enough space|winerror 112",
            _disk_is_full(step),
        ),
        (
            # pip before 25.1 takes half a download for a whole one.
            "do not match the hashes|wheel .* is invalid|badzipfile|not a zip file",
            f"“{step}” failed: a package arrived damaged or in part, or is not the file that "
            "Modelsheet was tested with. Check the network, then try again. If it stays so, "
            "somebody changes it on the way, or your package index has builds of its own. "
            f"(Log: {log})",
        ),
        (
            r"certificate_verify_failed|self.signed certificate",
            f"“{step}” failed: the certificate of the package index is not trusted. Name your "
            f"network's own certificates in PIP_CERT, then try again. (Log: {log})",
        ),
        (
            r"\b407\b|proxy authentication|proxyerror|cannot connect to proxy",
            f"“{step}” failed: the proxy lets nothing through. Correct HTTPS_PROXY (with name and "
            f"password, if it asks for them), then try again. (Log: {log})",
        ),
        (
            r"winerror 206|filename or extension is too long|file name too long",
            f"“{step}” failed: a path is too long for this system. Name a shorter folder in "
            "MODELSHEET_HOME, then try again.",
        ),
        (
            r"winerror (5|32)\b|being used by another process|access is denied",
            f"“{step}” failed: another program holds one of its files, often a virus scanner. Wait "
            f"a minute, then try again. (Log: {log})",
        ),
        (
            r"dll load failed|winerror (126|1114)\b",
            f"“{step}” failed: Windows lacks a library that PyTorch needs. Install Microsoft's "
            f"“Visual C++ Redistributable” (x64), then try again. (Log: {log})",
        ),
        (
            "failed to map segment",
            f"“{step}” failed: this disk may not hold programs. Name a folder on another one in "
            "MODELSHEET_HOME, or use another computer's backend.",
        ),
        (
            r"connection|timed out|timeout|name resolution|name or service|unreachable"
            # All is pinned, so that a conflict only means that no index answered.
            r"|from versions: none|dns error|resolutionimpossible|incompleteread|protocolerror"
            r"|incomplete-download",
            f"“{step}” failed: the packages cannot be downloaded. Check the network (and the "
            f"proxy, if there is one), then try again: what is here already is kept. (Log: {log})",
        ),
        (
            "permission denied",
            f"“{step}” failed: a folder cannot be written. Correct its rights, then try again; or "
            f"use another computer's backend. (Log: {log})",
        ),
    )
