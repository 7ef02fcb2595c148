"""Loading a transformation file: always as it is now, with an error that names the line at fault."""

from __future__ import annotations

import os
import py_compile
import sys
from pathlib import Path

import boto3
import pytest
from typer.testing import CliRunner

from etl.model.run import Run
from etl_cli.app import app
from etl_cli.items import local_transformation
from etl_cli.items.local_transformation import LocalTransformation, Outcome, transformation_path
from etl_cli.items.transformation_file import files, load
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import ROOT
from tests.fakes.aws import FakeAws, stack, stacks
from tests.fakes.past_runs import edited
from tests.fakes.state_machine import OUTPUTS
from tests.unit import builders

RUN = Run(id="run", start=builders.START, end=builders.END, time=builders.TIME, execution="e", segments=1)
GOOD = b'{"id":{"S":"a"},"timestamp":{"S":"2024-01-15T10:00:00Z"},"name":{"S":"n"},"value":{"N":"1"}}'


def outcome(file: Path, line: bytes = GOOD) -> Outcome:
    (found,) = LocalTransformation(file).outcomes([line], RUN)
    return found


def refusal(file: Path, text: str) -> str:
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        LocalTransformation(file)
    assert "docs/transformations.md" in caught.value.remedy
    return "\n".join([caught.value.message, *(f"  {line}" for line in caught.value.lines)])


def test_the_file_is_that_of_the_configured_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("mine/etl", "mine/orders", "other/orders"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "transformation.py").touch()
    (tmp_path / "cdk.json").write_text('{"context": {"etl:pipelines": "mine"}}')
    monkeypatch.setattr(local_transformation, "ROOT", tmp_path)

    assert transformation_path({}, "etl") == tmp_path / "mine" / "etl" / "transformation.py"
    assert transformation_path({}, "orders") == tmp_path / "mine" / "orders" / "transformation.py"
    other = tmp_path / "other" / "orders" / "transformation.py"
    assert transformation_path({"etl:pipelines": "other"}, "orders") == other
    with pytest.raises(UserError, match="pipelines must be"):
        transformation_path({"etl:pipelines": "other"}, "etl")


def test_a_preview_takes_the_pipeline_of_its_context(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = FakeAws({"cloudformation.DescribeStacks": stacks(stack(OUTPUTS))})
    monkeypatch.setattr(boto3, "Session", lambda **_: aws.session)
    monkeypatch.setattr(local_transformation, "transformation_path", transformation_path)

    done = CliRunner().invoke(app, ["preview", "-c", "etl:pipelines=nowhere"])
    assert isinstance(done.exception, UserError)
    assert "pipelines must be" in str(done.exception)


def test_an_edit_of_the_same_size_in_the_same_second_is_seen(file: Path) -> None:
    before = file.stat()
    py_compile.compile(str(file))
    assert b'"size":"small"' in outcome(file).records[0]
    edited(file, ('"small"', '"large"'), ('"medium"', '"medium"'))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert b'"size":"large"' in outcome(file).records[0]


def test_a_module_beside_it_is_loaded_anew_too(file: Path) -> None:
    helper = file.with_name("prices_of_coffee.py")
    helper.write_text("WORD = 'small'\n")
    edited(file, ("from typing import", "from prices_of_coffee import WORD\nfrom typing import"), ('"small"', "WORD"))
    before = helper.stat()
    try:
        assert b'"size":"small"' in outcome(file).records[0]
        assert files(file) == [file, helper]
        helper.write_text("WORD = 'large'\n")
        os.utime(helper, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert b'"size":"large"' in outcome(file).records[0]
    finally:
        sys.modules.pop("prices_of_coffee", None)


def test_a_module_beside_it_replaces_no_other_module(file: Path) -> None:
    file.with_name("statistics.py").write_text("raise SystemExit\n")
    edited(file, ("from typing import", "import statistics\nfrom typing import"), ('"small"', "statistics.__name__"))

    assert b'"size":"statistics"' in outcome(file).records[0]


def test_no_bytecode_is_left_behind(file: Path) -> None:
    load(file, 10)

    assert [each.name for each in file.parent.iterdir()] == ["transformation.py"]


def test_types_named_as_text_are_found(file: Path) -> None:
    edited(file, ("    value: Number", '    value: "Price"'), ("class Contract", "Price = int\n\n\nclass Contract"))

    assert outcome(file).rejection is None
    assert str(outcome(file, GOOD.replace(b'"1"', b'"1.5"')).rejection) == (
        "value: expected a whole number, got a number with a fraction (Number takes both)"
    )


def test_a_syntax_error_has_its_line(file: Path) -> None:
    assert refusal(file, "x = 1\ndef transform(record, run)\n    return record\n") == (
        f"{file}, line 2: SyntaxError: expected ':'; the functions run Python 3.11\n    def transform(record, run)"
    )


def test_newer_syntax_than_the_functions_have_is_refused(file: Path) -> None:
    assert refusal(file, "x = 1\ntype Row = dict\n").startswith(f"{file}, line 2: SyntaxError: ")
    assert "the functions run Python 3.11" in refusal(file, "x = f'{d['id']}'\n")


def test_an_exception_has_the_line_of_the_file(file: Path) -> None:
    text = "from etl.user.aggregates import Aggregate\n\nAGGREGATES = [Aggregate(name='x', by='date')]\n"

    assert refusal(file, text) == (
        f'{file}, line 3: TransformationError: aggregate x: by must be a list of attributes, got "date"\n'
        "    AGGREGATES = [Aggregate(name='x', by='date')]"
    )


def test_an_edited_line_is_shown_as_it_is_now(file: Path) -> None:
    assert refusal(file, "first\n").endswith("    first")
    assert refusal(file, "other\n").endswith("    other")


@pytest.mark.parametrize("statement", ["exit()", "raise SystemExit", "import no_such_module_anywhere", "1 / 0"])
def test_any_failing_import_is_an_error_of_the_file(file: Path, statement: str) -> None:
    assert refusal(file, f"\n{statement}\n").startswith(f"{file}, line 2: ")


def test_a_file_without_a_contract_is_refused(file: Path) -> None:
    assert "Contract" in refusal(file, "def transform(record, run):\n    return record\n")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"transformation\.py"):
        LocalTransformation(tmp_path / "transformation.py")


def test_a_file_of_the_checkout_is_named_from_there() -> None:
    with pytest.raises(UserError, match=r"^runtime/etl/none\.py"):
        load(ROOT / "runtime" / "etl" / "none.py", 10)


def test_an_interrupt_is_a_persons(file: Path) -> None:
    file.write_text("raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        LocalTransformation(file)


def test_prints_of_the_file_stay_out_of_the_output(file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    edited(
        file,
        ('    record["date"]', '    print("here")\n    record["date"]'),
        ("class Contract", "print('up')\nclass Contract"),
    )
    outcome(file)

    assert capfd.readouterr() == ("", "up\nhere\n")


def test_too_many_groups_of_an_aggregate_are_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.user.accumulator.MAX_GROUPS", 0)

    with pytest.raises(UserError, match="value_by_date"):
        outcome(file)


def test_aggregates_share_their_memory_as_in_a_run(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each of the two has room for its only group, and both together haven't.
    monkeypatch.setattr("etl.user.accumulator.Room.__init__.__defaults__", (1 << 10,))
    one = '    Aggregate(name="value_by_date", by=["date"], of={"value": ["sum"]}),\n'
    aggregates = edited(file).read_text().partition("AGGREGATES = [")[0] + "AGGREGATES = [\n"
    file.write_text(f"{aggregates}{one}]\n")
    assert outcome(file).records

    file.write_text(f"{aggregates}{one}{one.replace('by_date', 'by_day')}]\n")
    with pytest.raises(UserError, match="AGGREGATES"):
        outcome(file)


def test_a_line_that_is_no_item_is_refused(file: Path) -> None:
    with pytest.raises(UserError, match="DynamoDB JSON"):
        outcome(file, b'{"id":{"X":"a"}}')
    with pytest.raises(UserError, match="DynamoDB JSON"):
        outcome(file, b'{"id"')


@pytest.mark.parametrize("ending", ["os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_a_transformation_that_ends_its_process_rejects(file: Path, ending: str) -> None:
    edited(
        file,
        ('    record["date"]', f'    {ending}\n    record["date"]'),
        ("class Contract", "import os\nclass Contract"),
    )
    rejection = outcome(file).rejection

    assert rejection is not None
    assert rejection.rule == "transform() must leave its process running"


def test_an_endless_transformation_rejects_the_item(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl_cli.items.local_transformation.RECORD_SECONDS", 1)
    edited(file, ('    record["date"]', '    while True: pass\n    record["date"]'))
    rejection = outcome(file).rejection

    assert rejection is not None
    assert rejection.rule == "transform() must return within 1 s"
    assert f"({file.name} line " in rejection.got


@pytest.mark.parametrize("ending", ["os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_an_import_that_ends_the_process_is_refused(file: Path, ending: str) -> None:
    edited(file, ("class Contract", f"import os\n{ending}\nclass Contract"))

    with pytest.raises(UserError, match="its import ends the process"):
        outcome(file)


def test_an_import_that_never_ends_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl_cli.items.local_transformation.RECORD_SECONDS", 1)
    edited(file, ("class Contract", "while True:\n    pass\nclass Contract"))

    with pytest.raises(UserError, match="over 1 s"):
        outcome(file)
