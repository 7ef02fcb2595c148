#!/bin/sh
# Prints a Python of 3.11 or newer that can make virtual environments. Usage: sh requirements/python.sh [PYTHON]
found=""
for python in ${1:-python3 python3.13 python3.12 python3.11 python3.14 python}; do
    version="$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null)" || continue
    found="$found $python=$version"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || continue
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        echo "error: $python $version has no module venv or ensurepip. On Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
    command -v "$python"
    exit 0
done
echo "error: Python 3.11 or newer is needed, found:${found:- none}. Install one, or name it: make setup PYTHON=/path/to/python3" >&2
exit 1
