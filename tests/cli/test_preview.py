"""`etl preview`: what it prints, what it tells programs, and how it ends."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from etl_cli.app import app
from etl_cli.aws.deployment import Pipeline
from etl_cli.commands.preview import EXIT_REJECTED
from etl_cli.items.local_transformation import LocalTransformation, Run
from etl_cli.items.preview_items import Taken
from etl_cli.items.rehearsal import PastRun, Rehearsed, RehearsedRun, rehearse
from etl_cli.render.preview import one_of_each_kind, print_rehearsed
from etl_cli.render.preview_document import rehearsed_document, run_document
from etl_cli.render.preview_run import print_run
from etl_cli.terminal.console import Terminal
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.times import Times
from tests.cli.documents import as_read
from tests.docs.examples import example
from tests.fakes.past_runs import PastRuns, edited, items
from tests.unit.builders import item

RUN = Run(
    id="20261126T020000000Z",
    start="2026-11-25T02:00:00Z",
    end="2026-11-26T02:00:00Z",
    time="2026-11-26T02:00:00Z",
    execution="preview",
    segments=1,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return edited(tmp_path / "transformation.py")


@pytest.fixture
def past(file: Path) -> PastRuns:
    made = PastRuns(items(), file, segments=2)
    made.run()
    return made


def order(number: int, **attributes: Any) -> bytes:
    fixed = {
        "id": {"S": f"order-{number:06d}"},
        "timestamp": {"S": "2026-11-25T11:33:06Z"},
        "name": {"S": "Türk kahvesi"},
        "value": {"N": "51.26"},
        "email": {"S": "Ada@Example.org"},
        "cancelled_at": {"NULL": True},
    }
    return json.dumps(fixed | attributes).encode()


def rehearsed(file: Path, *lines: bytes) -> Rehearsed:
    return rehearse(LocalTransformation(file), Taken(RUN, list(lines)))


def printed(found: Rehearsed, width: int = 90) -> str:
    console = Terminal(file=io.StringIO(), width=width)
    if isinstance(found, RehearsedRun):
        print_run(console, found, Times())
    else:
        print_rehearsed(console, found, "etl-source-data", Times(), one_of_each_kind(found.outcomes))
    assert isinstance(console.file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def test_the_example_of_the_page(file: Path) -> None:
    edited(file, ('    record["date"]', '    record["email"] = record["email"].lower()\n    record["date"]'))
    dear = order(2, value={"N": "1849"}, email={"S": "Björk@Example.org"})

    assert printed(rehearsed(file, order(1), dear, order(42, value={"N": "-96.75"}))) == example("etl preview")


def test_what_becomes_several_records_or_none_is_shown(file: Path) -> None:
    edited(
        file,
        ("    return record", '    return [record, record | {"id": "b"}] if record["value"] > 5 else None'),
    )
    output = printed(rehearsed(file, order(1), order(2, value={"N": "5"})))

    assert "order-000001  becomes 2 records" in output
    assert "record 2 of 2" in output
    assert "~ id" in output
    assert "order-000002  dropped: transform() returns nothing for it" in output
    assert "✔ 2 records of 2 items, none rejected, 1 dropped" in output


def test_items_that_change_alike_are_one_kind(file: Path) -> None:
    lines = [order(n) for n in range(5)] + [order(9, cancelled_at={"S": "x"})]
    found = rehearsed(file, *lines, order(7, value={"S": "x"}))

    assert [outcome.item["id"]["S"] for outcome in one_of_each_kind(found.outcomes)] == ["order-000000", "order-000009"]
    assert "     5  + as_of, date, size  - cancelled_at\n" in printed(found)
    assert "     1  + as_of, date, size\n" in printed(found)
    assert "     1  rejected\n" in printed(found)


def test_programs_get_each_item_with_what_changed(file: Path) -> None:
    found = rehearsed(file, order(1, barcode={"B": "AAE="}), order(2, value={"S": "x"}))
    document = as_read(rehearsed_document(found))
    good, bad = document["items"]

    assert document["window"] == {"start": RUN.start, "end": RUN.end}
    assert document["counts"] == {"items": 2, "records": 1, "dropped": 0, "ahead": 0, "untimed": 0, "rejected": 1}
    assert (good["outcome"], good["reason"]) == ("transformed", None)
    assert good["item"]["barcode"] == good["records"][0]["record"]["barcode"] == {"B": "AAE="}
    assert {"path": "size", "mark": "+", "before": None, "after": {"S": "small"}} in good["records"][0]["changes"]
    assert (bad["outcome"], bad["records"]) == ("rejected", [])
    assert bad["reason"] == {"field": "value", "expected": "a number", "got": "text", "untimed": False}
    (group,) = document["aggregates"][0]["groups"]
    assert (group["records"], group["value_sum"]) == (1, "51.26")


def test_what_differs_from_a_run_is_shown(past: PastRuns, file: Path) -> None:
    edited(file, ('"small" if', '"tiny" if'), ('record["value"] < 0', 'record["value"] < 20'))
    found = PastRun(past.pipeline, past.entry).rehearse(LocalTransformation(file), most_examples=1)
    output = printed(found)

    assert output.startswith("60 items of run 20240116T020000123Z, as in a run of 2024-01-15 00:00:00 → 2024-01-16")
    assert "    36 ~ size  small → tiny" in output
    assert "Made then, and no more: 18  such as item-00" in output
    assert [line.split() for line in output.splitlines() if line.startswith(("  records", "  rejected"))] == [
        ["records", "54", "36"],
        ["rejected", "6", "24"],
    ]
    assert output.endswith("  ~ 36 records would change, 18 would be made no more\n")
    document = as_read(run_document(found))
    assert (document["run"], document["complete"]) == (past.entry.run, True)
    assert document["differences"]["gone"]["count"] == 18
    assert document["rejected_then"][0]["count"] == 6


def test_nothing_that_differs_is_said_to_be_nothing(past: PastRuns, file: Path) -> None:
    found = PastRun(past.pipeline, past.entry).rehearse(LocalTransformation(file))

    assert printed(found).endswith("  ✔ nothing differs from what was transformed then\n")


def test_a_run_without_anything_to_compare_with_says_why(past: PastRuns, file: Path) -> None:
    past.fail("Transform")
    found = PastRun(past.pipeline, past.entry).rehearse(LocalTransformation(file))

    assert printed(found).endswith("The run ended in Transform, before all was transformed: nothing to compare with.\n")
    assert run_document(found)["differences"] is None


Invoke = Callable[..., Result]


@pytest.fixture
def invoke(past: PastRuns, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """The command, which finds the pipeline of the past; it takes the transformation of the checkout."""
    monkeypatch.setattr(Pipeline, "find", lambda *_: past.pipeline)
    return lambda *options: CliRunner().invoke(app, ["preview", "--region", "eu-west-1", *options])


def test_it_ends_with_3_when_something_would_be_rejected(invoke: Invoke) -> None:
    assert invoke("--id", "item-0009").exit_code == EXIT_REJECTED == 3
    assert invoke("--run", "latest", "--sample", "60").exit_code == EXIT_REJECTED


def test_an_item_without_a_time_which_no_transformation_can_help_ends_with_0(past: PastRuns, invoke: Invoke) -> None:
    past.runs.dynamodb.tables["source"].append(item(500, timestamp="soon"))
    done = invoke("--id", "item-0500")

    assert done.exit_code == 0
    assert "none rejected, 1 without a time" in done.stdout


def test_it_ends_with_0_when_nothing_would_be_rejected(invoke: Invoke) -> None:
    done = invoke("--id", "item-0001", "--id", "item-0002", "--json")

    assert done.exit_code == 0
    assert [each["item"]["id"]["S"] for each in json.loads(done.stdout)["items"]] == ["item-0001", "item-0002"]


def test_so_many_items_as_asked_for_are_shown_field_by_field(invoke: Invoke) -> None:
    # The ids of items that are shown are at the beginning of their lines.
    shown = [len([line for line in invoke("--show", n).stdout.splitlines() if line[:7] == "  item-"]) for n in "029"]

    assert shown == [0, 2, 9]


def test_an_unknown_run_is_an_error(invoke: Invoke) -> None:
    assert isinstance(invoke("--run", "nobody").exception, UserError)


@pytest.mark.parametrize(
    "options",
    [
        ("--id", "a", "--run", "latest"),
        ("--id", "a", "--sample", "2"),
        ("--run", "latest", "--start", "2024-01-15", "--end", "2024-01-16"),
        ("--start", "2024-01-15"),
        ("--watch", "--json"),
        ("--sample", "0"),
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(invoke: Invoke, options: tuple[str, ...]) -> None:
    assert invoke(*options).exit_code == 2


def test_the_command_starts_with_the_kernel_alone() -> None:
    """A checkout in which the stages' code is broken can still be looked after."""
    script = "import sys, etl_cli.app; print([m for m in sys.modules if m.startswith('etl.') and 'model' not in m])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == "[]\n"


def test_a_forgotten_return_is_told(file: Path) -> None:
    edited(file, ("    return record", "    record"))
    said = " ".join(printed(rehearsed(file, order(1), order(2))).split())

    assert "~ 0 records of 2 items, none rejected, 2 dropped" in said
    assert "does transform() lack a return?" in said


def test_an_item_without_a_time_is_not_rejected(file: Path) -> None:
    orders = [order(1), order(2, value={"N": "-1"}), order(3, timestamp={"S": "2026-11-29T10:00:00+0000"})]
    found = rehearsed(file, *orders)
    said = " ".join(printed(found).split())

    assert [outcome.fate for outcome in found.outcomes] == ["transformed", "rejected", "untimed"]
    assert (found.aside.rejected, found.aside.untimed) == (1, 1)
    assert "~ 1 record of 3 items, 1 rejected (50.0 %), 1 without a time" in said
    assert rehearsed_document(found)["counts"]["untimed"] == 1


def test_an_item_of_the_future_is_ahead(file: Path) -> None:
    found = rehearsed(file, order(1), order(2, timestamp={"S": "2999-01-01T00:00:00Z"}))

    assert (found.ahead, found.dropped, found.records) == (1, 0, 1)
    assert "1 ahead of their time" in " ".join(printed(found).split())
