"""Writes a stand-in for python3 that makes empty virtual environments and plays pip.

install.sh is tested against it, so that no test downloads anything. Whatever is neither venv nor
pip goes to the real Python.
"""

from __future__ import annotations

import sys
from pathlib import Path

# $CALLS: file that collects what pip was asked; $PIP_FAILS: what pip complains of, if it fails;
# $KNOWN: what pip-audit has of a package; $OFFERS: lines "index build" that say which torch each
# index has ("-" is the configured one).
SCRIPT = r"""#!/usr/bin/env bash
real=@REAL@
[ "$1" != -I ] || shift
if [ "$1 $2" = "-m venv" ]; then
    mkdir -p "$3/bin"
    for name in python ruff mypy bandit pip-audit; do cp "$0" "$3/bin/$name"; done
    exit 0
fi
case "${0##*/} $*" in
    "pip-audit "*"--format json"*) printf '{"dependencies": [{%s}]}' "${KNOWN-}"; exit ;;
esac
case ${0##*/} in
    ruff | mypy | bandit | pip-audit)
        echo "ran ${0##*/} $*" >>"$CALLS"
        [ "${FAILS-}" != "${0##*/}" ]
        exit
        ;;
esac
if [ "$1 $2" = "-m pytest" ]; then
    echo "ran pytest" >>"$CALLS"
    exit 0
fi
if [ "$1 $2" = "-m pip" ]; then
    echo "$*" >>"$CALLS"
    if [ -n "${PIP_FAILS-}" ]; then
        echo "$PIP_FAILS" >&2
        exit 1
    fi
    case $* in
        *--report*)
            index=-
            asked="$* "
            case $asked in *--index-url*) index=${asked#*--index-url }; index=${index%% *} ;; esac
            build=$(awk -v index_="${index##*/}" '$1 == index_ { print $2 }' <<<"$OFFERS")
            [ -n "$build" ] || exit 1
            printf '{"install": [{"metadata": {"version": "%s"}}]}' "$build"
            ;;
    esac
    exit 0
fi
case $* in
    *ensurepip*) [ -z "${NO_VENV-}" ]; exit ;;
    *"import torch"*) exit ;;
esac
exec "$real" "$@"
"""


def write_fake_python(folder: Path) -> Path:
    """Put a `python3` into `folder` and give its path."""
    path = folder / "python3"
    path.write_text(SCRIPT.replace("@REAL@", f"'{sys.executable}'"))
    path.chmod(0o755)
    return path
