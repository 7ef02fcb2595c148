#!/bin/sh
# Chooses the Pythons that continuous integration runs: 3.11, which the functions have; 3.13, if it is here; the newest.
# Usage: sh .ci/pythons.sh VERSION...    with all versions that the project promises, the oldest first
# Prints a line for each of them, VERSION PATH; and on the error output what it found, and what it didn't.
# Fails unless 3.11 and a newer one are here.
set -eu

# Finds a Python of a version that can make virtual environments: in the PATH, which may have several, or of pyenv.
find_python() {
    {
        IFS=:
        for folder in $PATH; do echo "$folder/python$1"; done
        ls -d "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$1".*/bin/python 2>/dev/null | sort -rV
    } | while read -r python; do
        # A shim of pyenv's fails unless its version is chosen, and a Python of Debian's may lack the modules.
        found="$("$python" -c 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" || continue
        if [ "$found" = "$1" ]; then
            echo "$python"
            break
        fi
    done
}

oldest="" usual="" newest="" missing=""
for version; do
    python="$(find_python "$version")"
    if [ -z "$python" ]; then
        missing="$missing $version"
        continue
    fi
    echo "found Python $version: $python" >&2
    newest="$version $python"
    case "$version" in
        3.11) oldest="$newest" ;;
        3.13) usual="$newest" ;;
    esac
done
[ -z "$missing" ] || echo "not found: Python$missing" >&2

if [ -z "$oldest" ] || [ "$newest" = "$oldest" ]; then
    echo "error: Python 3.11 and a newer one are needed, both with venv; install them by pyenv, or put them into the PATH" >&2
    exit 1
fi
printf '%s\n' "$oldest" "$usual" "$newest" | grep . | uniq
