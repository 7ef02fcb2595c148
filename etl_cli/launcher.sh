#!/bin/sh
''':'
# The shell reads this part, Python the rest. Variables that lead Python to other packages are gone before it starts,
# for itself and for all that it runs; so are those that keep it from reading an umlaut in the checkout's path, where
# newer Pythons import nothing. PYTHONIOENCODING still says how to print.
unset PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONSAFEPATH PYTHONPLATLIBDIR PYTHONOPTIMIZE PYTHONDONTWRITEBYTECODE \
    PYTHONINSPECT PYTHONUTF8 PYTHONCOERCECLOCALE VIRTUAL_ENV
exec "$(dirname "$(readlink -f "$0")")/python" "$0" "$@"
'''
import sys

from etl_cli.main import main

sys.exit(main())
