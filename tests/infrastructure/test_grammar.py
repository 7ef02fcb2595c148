"""The check of the functions' grammar, on any Python that runs the tests."""

from __future__ import annotations

import sys
import sysconfig
import warnings
from pathlib import Path

import pytest

from serverless_app.grammar import GrammarError, check_grammar

# Each is refused by Python 3.11's own compiler, and taken by the version in the name.
NEWER = {
    "3.12 type statement": "type Record = dict[str, object]",
    "3.12 type parameters of a function": "def first[T](values: list[T]) -> T: ...",
    "3.12 type parameters of a class": "class Box[T]: ...",
    "3.12 own quotes in an f-string": """x = f"{record["id"]}\"""",
    "3.12 empty text of its own quotes in an f-string": """x = f"{record.get(k, "")}\"""",
    "3.12 own quotes in a triple-quoted f-string": '''x = f"""{record["""id"""]}"""''',
    "3.12 own quotes in an f-string within an f-string": """x = f'{f"{record["id"]}"}'""",
    "3.12 own quotes in a raw f-string": """x = Rf"{record["id"]}\"""",
    "3.12 backslash in an f-string": r'''x = f"{'\n'.join(lines)}"''',
    "3.12 backslash in an f-string within an f-string": r'''x = f"{f'\n'}"''',
    "3.12 continued line in an f-string": """x = f"{1 +\\\n1}\"""",
    "3.12 line break in an f-string": """x = f"{\n1\n}\"""",
    "3.12 comment in an f-string": '''x = f"""{\n1  # one\n}"""''',
    "3.13 default of a type parameter": "class Box[T = int]: ...",
    "3.14 exceptions without parentheses": "try: ...\nexcept TypeError, ValueError: ...",
    "3.14 template string": """x = t"{record}\"""",
}
ALLOWED = {
    "f-string with other quotes": """x = f"{record['id']!r:>{width}}\"""",
    "escapes outside of braces": r'''x = f"\t{a}\n{{\\}} \N{EM DASH} {b:\n}"''',
    "raw f-string": r"""x = rf'\d{a}\.'""",
    "f-strings in a row": '''x = f"{a}" f'{b}' "c" r"d"''',
    "triple-quoted f-string": '''x = f"""{a["id"]}\n "b" {f"{c}"}\\\n"""''',
    "number sign in an f-string": """x = f"# {a} {'#'}"  # a comment""",
    "pattern, except* and walrus": "match (a := b):\n  case {'id': str()}: ...\ntry: ...\nexcept* TypeError: ...",
    "escape that is none": r"x = '\d'",
    "escape that is none in an f-string": r"x = f'\{a} \d{b}'",
    "other encoding": "# -*- coding: latin-1 -*-\nx = f'{\xe9}'",
}


def refusal(folder: Path, source: str) -> GrammarError:
    path = folder / "transformation.py"
    path.write_text(source, encoding="latin-1")
    with pytest.raises(GrammarError) as caught:
        check_grammar(path)
    assert caught.value.filename == str(path)
    return caught.value


@pytest.mark.parametrize("name", NEWER)
def test_newer_syntax_than_the_functions_is_refused(tmp_path: Path, name: str) -> None:
    error = refusal(tmp_path, f"x = 1\n{NEWER[name]}\n")

    assert error.lineno is not None
    assert error.lineno >= 2
    assert error.msg.endswith("; the functions run Python 3.11")


@pytest.mark.parametrize("name", ALLOWED)
def test_syntax_of_the_functions_is_allowed(tmp_path: Path, name: str) -> None:
    path = tmp_path / "transformation.py"
    path.write_text(ALLOWED[name] + "\n", encoding="latin-1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_grammar(path)


@pytest.mark.parametrize("source", ["(" * 1_000, "x = 1\0", "x = '\xe9'", "-" * 1_000_000 + "1"])
def test_source_that_no_python_compiles_is_refused(tmp_path: Path, source: str) -> None:
    assert refusal(tmp_path, source).msg.endswith("; the functions run Python 3.11")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python 3.11's own compiler decides")
def test_sources_with_many_fstrings_are_allowed() -> None:
    site = Path(sysconfig.get_path("purelib"))  # the lock's packages support Python 3.11
    for path in [*(site / "typer").rglob("*.py"), *(site / "rich").glob("*.py"), *(site / "hypothesis").rglob("*.py")]:
        check_grammar(path)
