#!/bin/sh
# Prints a Python of 3.11 or newer that can make virtual environments. Usage: sh requirements/python.sh [PYTHON]
if [ -z "${1:-}" ]; then set -- python3 python3.13 python3.12 python3.11 python3.14 python; fi
found="" incomplete=""
for python; do
    version="$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null)" || continue
    found="$found $python=$version"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || continue
    if "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        command -v "$python"
        exit 0
    fi
    if [ -z "$incomplete" ]; then incomplete="$python" incomplete_version="$version"; fi
done
if [ -n "$incomplete" ]; then
    remedy="Install it with them, or name another: make setup PYTHON=/path/to/python3"
    # Debian has these modules in a package of their own, for those Pythons that are Debian's.
    if dpkg -S "$(readlink -f "$(command -v "$incomplete")")" >/dev/null 2>&1; then
        remedy="Install them: apt-get install python${incomplete_version%.*}-venv"
    fi
    echo "error: $incomplete $incomplete_version has no module venv or ensurepip. $remedy" >&2
    exit 1
fi
echo "error: Python 3.11 or newer is needed, found:${found:- none}. Install one, or name it: make setup PYTHON=/path/to/python3" >&2
exit 1
