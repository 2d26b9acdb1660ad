#!/usr/bin/env bash
# Sets up Modelsheet: the backend in .venv, the plugin in Krita. `./install.sh --help` says more.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@" # as in `sh install.sh`
set -euo pipefail
unset PYTHONHOME PYTHONPATH # an AppImage's would break the Python that is found

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
venv=$root/.venv
stamp=$venv/modelsheet-stamp
log=$venv/install.log

# What the tests use of the distribution: a real Krita on a screen of its own, Qt's libraries, and
# a browser whose pages must not get in.
system_packages=(krita xvfb xauth python3-pyqt5 shellcheck libgl1 libegl1 libxkbcommon0
    libdbus-1-3 libfontconfig1 libglib2.0-0 libgl1-mesa-dri chromium)

usage() {
    cat <<'TEXT'
Usage: ./install.sh [COMMAND] [OPTIONS]

Commands
  (none)       set up the backend in .venv and the plugin in Krita
  demo         set up the backend and run the whole road without Krita; look into demo/
  test         set up what the checks need and run them all
  uninstall    take the plugin out of Krita and remove .venv; learnt subjects stay

Options
  --cpu | --cuda | --rocm   which PyTorch to install; found out by itself when not given
  --krita-dir DIR           Krita's resource folder (it holds pykrita), if it is not the usual one
  --dry-run                 say what would be done, do nothing
  -h, --help                show this

Environment: PYTHON names the Python to use (3.10 to 3.14).
TEXT
}

say() { printf '%s\n' "$*"; }
fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

stage() { # stage TEXT COMMAND...: runs it and says how long it took
    local text=$1 began=$SECONDS
    shift
    say "── $text"
    "$@"
    say "   done in $((SECONDS - began)) s"
}

read_arguments() {
    command=install accelerator='' krita_dir='' dry_run=''
    while [ $# -gt 0 ]; do
        case $1 in
            demo | test | uninstall) command=$1 ;;
            --cpu | --cuda | --rocm) accelerator=${1#--} ;;
            --krita-dir)
                [ $# -ge 2 ] || fail "--krita-dir needs a folder after it."
                krita_dir=$2
                shift
                ;;
            --krita-dir=*) krita_dir=${1#*=} ;;
            --dry-run) dry_run=yes ;;
            -h | --help)
                usage
                exit 0
                ;;
            *) fail "I do not know \"$1\". ./install.sh --help lists what I know." ;;
        esac
        shift
    done
}

# ── Python ───────────────────────────────────────────────────────────────────────────────────────

is_usable() { # an interpreter of a version for which PyTorch has builds
    "$1" -I -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 15))' 2>/dev/null
}

find_python() { # sets $python
    local candidate without_venv='' IFS=$'\n'
    # shellcheck disable=SC2046 # one per line: a path may hold spaces
    for candidate in ${PYTHON:+"$PYTHON"} $(type -aP python3 python3.13 python3.12 python3.11 \
        python3.14 python3.10); do
        is_usable "$candidate" || continue
        if "$candidate" -I -c 'import ensurepip, venv' 2>/dev/null; then
            python=$candidate
            return
        fi
        without_venv=$candidate
    done
    IFS=' '
    [ -z "$without_venv" ] || fail "$without_venv has no venv module. On Debian or Ubuntu run:" \
        "apt-get install python3-venv"
    fail "I found no Python from 3.10 to 3.14. Install one from your distribution or python.org," \
        "or name it: PYTHON=/path/to/python3 ./install.sh"
}

# ── The backend ──────────────────────────────────────────────────────────────────────────────────

set_up_backend() { # set_up_backend EXTRAS [OPTION]
    "$python" -I -B -c 'import sys
sys.path.insert(0, sys.argv[1])
from modelsheet_setup.command_line import main
sys.exit(main(sys.argv[2:], program="install.sh"))' "$root/backend" checkout "$root" \
        --python "$python" --extras "$1" ${accelerator:+--accelerator "$accelerator"} "${@:2}"
}

# ── The plugin ───────────────────────────────────────────────────────────────────────────────────

krita_plugin() { # krita_plugin install|uninstall, by whichever Python can (no package is needed)
    local interpreter=$python
    [ ! -x "$venv/bin/python" ] || interpreter=$venv/bin/python
    # -I: nothing is imported from the folder in which one stands.
    "$interpreter" -I -B - "$root/backend" "$1" "$krita_dir" "$dry_run" "$venv/bin/python" <<'PYTHON'
import os
import signal
import sys
from pathlib import Path

if hasattr(signal, "SIGPIPE"):
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as every program of a shell ends in `| head`
sys.path.insert(0, sys.argv.pop(1))
from modelsheet import errors
from modelsheet.krita_setup import install as krita_install

action, krita_dir, dry_run, python = sys.argv[1:]
where = {"environment": os.environ, "dry_run": bool(dry_run)}
folder = Path(krita_dir) if krita_dir else None
try:
    if action == "install":
        home = os.environ.get("MODELSHEET_HOME")
        where["home"] = Path(home).absolute() if home else None
        said = krita_install.install(folder, [python, "-I", "-m", "modelsheet", "serve"], **where)
    else:
        said = krita_install.uninstall(folder, **where)
except errors.ModelsheetError as error:
    sys.exit(f"install.sh: {error}")
print(*said, sep="\n")
PYTHON
}

warn_about_krita() {
    if command -v pgrep >/dev/null && pgrep -x -u "$(id -u)" krita >/dev/null; then
        say "Krita is open: close it and run me again, for it writes its settings when it closes."
    fi
    if [ -z "$krita_dir" ] && [ -d "$HOME/.var/app/org.kde.krita" ]; then
        say "Krita from Flatpak cannot start programs outside its sandbox. Start the backend" \
            "yourself: $venv/bin/modelsheet serve"
    fi
}

# ── Commands ─────────────────────────────────────────────────────────────────────────────────────

run_install() {
    set_up_backend ''
    krita_plugin install
    warn_about_krita
    say "Done. Start Krita, then: Settings > Dockers > Modelsheet."
}

run_demo() {
    set_up_backend ''
    stage "demo" "$venv/bin/python" -I -m modelsheet demo --out "$root/demo"
}

run_uninstall() {
    krita_plugin uninstall
    if [ -f "$stamp" ]; then
        rm -rf -- "$venv"
        say "Removed $venv."
    elif [ -e "$venv" ]; then
        say "Left $venv alone: I did not make it."
    fi
    say "Learnt subjects and settings are kept."
}

is_installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

install_system_packages() {
    local package missing=()
    if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
        say "Not root on Debian or Ubuntu: tests that need Krita or Xvfb skip where these are missing."
        return
    fi
    for package in "${system_packages[@]}"; do
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    stage "from the distribution: ${missing[*]}" apt_install "${missing[@]}"
}

apt_install() {
    export DEBIAN_FRONTEND=noninteractive
    {
        apt-get update -q && {
            apt-get install -q -y --no-install-recommends "$@" || apt_install_each "$@"
        }
    } >>"$log" 2>&1 ||
        say "   apt-get could not install them ($log); tests that need them skip with the reason."
}

apt_install_each() { # Ubuntu, for one, has no chromium: the others shall come all the same
    local package missed=0
    for package in "$@"; do
        apt-get install -q -y --no-install-recommends "$package" || missed=1
    done
    return "$missed"
}

failed=()
skipped=()
check() { # check COMMAND...: runs one of the checks and remembers if it was not clean
    local began=$SECONDS
    say "── $*"
    "$venv/bin/$1" "${@:2}" || failed+=("$*")
    say "   took $((SECONDS - began)) s"
}

knows_holes() { # whether pip-audit reaches what knows the holes: an index may have packages alone
    local probe
    probe=$(cd "$root" && "$venv/bin/pip-audit" --progress-spinner off --format json --no-deps \
        --disable-pip --requirement <(grep '^flask==' constraints.txt) 2>>"$log") || true
    [[ $probe == *'"vulns"'* ]]
}

check_holes() {
    if knows_holes; then
        check pip-audit --progress-spinner off --skip-editable
    else
        say "── pip-audit: nothing within reach knows the packages' holes; skipped"
        skipped+=(pip-audit)
    fi
}

check_shell() {
    command -v shellcheck >/dev/null || {
        say "── shellcheck is not installed: install.sh and .ci/run are not checked by it; skipped"
        skipped+=(shellcheck)
        return
    }
    say "── shellcheck"
    shellcheck install.sh .ci/run || failed+=(shellcheck)
}

run_test() {
    set_up_backend test,dev,cluster
    install_system_packages
    cd "$root"
    check ruff check .
    check ruff format --check .
    check mypy --strict
    check mypy --strict --platform win32 --cache-dir .mypy_cache/win32
    check mypy --strict --platform darwin --cache-dir .mypy_cache/darwin
    check bandit --quiet --recursive --configfile pyproject.toml backend krita_plugin
    check_holes
    check_shell
    # One file is one process's: its tests share a service or a learnt subject.
    check python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
    if [ ${#failed[@]} -gt 0 ]; then
        fail "Not clean:$(printf ' [%s]' "${failed[@]}")"
    fi
    say "All checks that ran are clean; skipped: ${#skipped[@]}${skipped[*]:+ (${skipped[*]})};" \
        "$SECONDS s in all."
}

say_what_would_be_done() {
    if [ "$command" = uninstall ]; then
        krita_plugin uninstall
        [ ! -f "$stamp" ] || say "$venv would be removed."
        return
    fi
    local extras=''
    [ "$command" != test ] || extras=test,dev,cluster
    set_up_backend "$extras" --dry-run
    case $command in
        install) krita_plugin install ;;
        demo) say "The demo would run and write into $root/demo." ;;
        test) say "ruff, mypy, bandit, pip-audit, shellcheck and pytest would run." ;;
    esac
}

read_arguments "$@"
find_python
if [ -n "$dry_run" ]; then
    say_what_would_be_done
else
    "run_$command"
fi
