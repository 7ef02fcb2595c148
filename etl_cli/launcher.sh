#!/bin/sh
''':'
# The shell reads this part, Python the rest. Variables that lead Python to other packages are gone before it starts,
# for itself and for all that it runs.
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONSAFEPATH PYTHONPLATLIBDIR PYTHONOPTIMIZE PYTHONDONTWRITEBYTECODE \
    PYTHONINSPECT VIRTUAL_ENV
exec "$(dirname "$(readlink -f "$0")")/python" "$0" "$@"
'''
import sys

from etl_cli.main import main

sys.exit(main())
