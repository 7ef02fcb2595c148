"""A check of the functions' code against the grammar of their Python, on any Python."""

import ast
import sys
import tokenize
import warnings
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

FUNCTIONS_PYTHON = (3, 11)


class GrammarError(SyntaxError):
    """The functions' Python can't compile a source; ``filename``, ``lineno`` and ``msg`` say where and why."""


def check_grammar(path: Path) -> None:
    """Compile a source, and refuse syntax that the functions' Python lacks.

    A newer Python refuses newer syntax on a best-effort basis, as ``feature_version`` documents. It refuses statements,
    type parameters, template strings and ``except`` without parentheses, but not the f-strings of 3.12.

    Raises:
        GrammarError: the functions' Python can't compile the source.
    """
    source = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape is no error, even if PYTHONWARNINGS makes it one
        try:
            compile(source, str(path), "exec", dont_inherit=True)
            ast.parse(source, feature_version=FUNCTIONS_PYTHON)
        except SyntaxError as error:
            raise _error(path, error.lineno, error.msg) from None
        except (ValueError, RecursionError, MemoryError) as error:  # a null byte, or too deep nesting
            raise _error(path, None, f"it can't be compiled: {error}") from None
        if sys.version_info >= (3, 12):  # tokens come with the same warnings
            with tokenize.open(path) as file:
                line = next(_newer_fstrings(file.read()), None)
            if line is not None:
                raise _error(path, line, "an f-string has its own quotes, a backslash or a comment within braces")


def _error(path: Path, line: int | None, problem: str) -> GrammarError:
    functions = ".".join(map(str, FUNCTIONS_PYTHON))
    return GrammarError(f"{problem}; the functions run Python {functions}", (str(path), line, None, None))


if sys.version_info >= (3, 12):

    def _newer_fstrings(source: str) -> Iterator[int]:
        """The lines with f-strings that Python 3.11 refuses: it ends an f-string at the next quote of its kind."""
        lines = StringIO(source).readlines()
        begun: list[tokenize.TokenInfo] = []
        escapes: list[int] = []  # of each f-string that has begun, outside of its braces
        for token in tokenize.generate_tokens(StringIO(source).readline):
            if token.type == tokenize.FSTRING_START:
                begun.append(token)
                escapes.append(0)
            elif token.type == tokenize.FSTRING_MIDDLE:
                escapes[-1] += token.string.count("\\")
            elif token.type == tokenize.COMMENT and begun:
                yield token.start[0]
            elif token.type == tokenize.FSTRING_END:
                first = begun.pop()
                inner = _between(lines, first.end, token.end)
                if inner.count("\\") > escapes.pop() or not _is_one_text(first.string, inner):
                    yield first.start[0]

    def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
        within = lines[start[0] - 1 : end[0]]
        within[-1] = within[-1][: end[1]]
        within[0] = within[0][start[1] :]
        return "".join(within)

    def _is_one_text(prefix: str, inner: str) -> bool:
        text = prefix.lower().replace("f", "") + inner
        try:
            return next(tokenize.generate_tokens(StringIO(text).readline)).string == text
        except (SyntaxError, tokenize.TokenError):
            return False
