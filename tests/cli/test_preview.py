"""`etl preview`: its output, its JSON and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from etl.model.run import Run
from etl_cli.app import app
from etl_cli.aws.deployment import Deployment
from etl_cli.commands.preview import EXIT_REJECTED
from etl_cli.items.local_transformation import LocalTransformation
from etl_cli.items.preview import EarlierRun, Preview, RunPreview, preview_sample
from etl_cli.items.sample import Sample
from etl_cli.render.preview import one_of_each_kind, print_preview
from etl_cli.render.preview_document import preview_document, run_preview_document
from etl_cli.render.preview_run import print_run_preview
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.times import Times
from tests.cli.documents import as_read
from tests.cli.screens import printed
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


def previewed(file: Path, *lines: bytes) -> Preview:
    return preview_sample(LocalTransformation(file), Sample(RUN, list(lines)))


def again(past: PastRuns, file: Path, most_examples: int = 3) -> RunPreview:
    return EarlierRun(past.deployment, past.entry).preview(LocalTransformation(file), None, most_examples)


def shown(found: Preview) -> str:
    if isinstance(found, RunPreview):
        return printed(lambda console: print_run_preview(console, found, Times()), 90)
    chosen = one_of_each_kind(found.outcomes)
    return printed(lambda console: print_preview(console, found, "etl-source-data", Times(), chosen), 90)


def test_the_documented_example_of_preview_is_exact(file: Path) -> None:
    edited(file, ('    record["date"]', '    record["email"] = record["email"].lower()\n    record["date"]'))
    dear = order(2, value={"N": "1849"}, email={"S": "Björk@Example.org"})

    assert shown(previewed(file, order(1), dear, order(42, value={"N": "-96.75"}))) == example("etl preview")


def test_several_records_or_none_are_shown(file: Path) -> None:
    edited(
        file,
        ("    return record", '    return [record, record | {"id": "b"}] if record["value"] > 5 else None'),
    )
    output = shown(previewed(file, order(1), order(2, value={"N": "5"})))

    assert "order-000001  becomes 2 records" in output
    assert "record 2 of 2" in output
    assert "~ id" in output
    assert "order-000002  dropped: transform() returns nothing for it" in output
    assert "✔ 2 records of 2 items, none rejected, 1 dropped" in output


def test_items_that_change_alike_are_one_kind(file: Path) -> None:
    lines = [order(n) for n in range(5)] + [order(9, cancelled_at={"S": "x"})]
    found = previewed(file, *lines, order(7, value={"S": "x"}))

    assert [outcome.item["id"]["S"] for outcome in one_of_each_kind(found.outcomes)] == ["order-000000", "order-000009"]
    assert "     5  + as_of, date, size  - cancelled_at\n" in shown(found)
    assert "     1  + as_of, date, size\n" in shown(found)
    assert "     1  rejected\n" in shown(found)


def test_programs_get_each_item_with_what_changed(file: Path) -> None:
    found = previewed(file, order(1, barcode={"B": "AAE="}), order(2, value={"S": "x"}))
    document = as_read(preview_document(found))
    good, bad = document["items"]

    assert document["window"] == {"start": RUN.start, "end": RUN.end}
    assert document["counts"] == {"items": 2, "records": 1, "dropped": 0, "ahead": 0, "untimed": 0, "rejected": 1} | {
        "outside": 0,
        "excluded": 0,
        "included": 0,
    }
    assert (good["outcome"], good["reason"]) == ("transformed", None)
    assert good["item"]["barcode"] == good["records"][0]["record"]["barcode"] == {"B": "AAE="}
    assert {"path": "size", "mark": "+", "before": None, "after": {"S": "small"}} in good["records"][0]["changes"]
    assert (bad["outcome"], bad["records"]) == ("rejected", [])
    assert bad["reason"] == {"field": "value", "rule": "expected a number", "got": "text", "untimed": False}
    (group,) = document["aggregates"][0]["groups"]
    assert (group["records"], group["value_sum"]) == (1, "51.26")


def test_differences_from_a_run_are_shown(past: PastRuns, file: Path) -> None:
    edited(file, ('"small" if', '"tiny" if'), ('record["value"] < 0', 'record["value"] < 20'))
    found = again(past, file, most_examples=1)
    output = shown(found)

    assert output.startswith("60 items of run 20240116T020000123Z, as in a run of 2024-01-15 00:00:00 → 2024-01-16")
    assert "    36 ~ size  small → tiny" in output
    assert "Records no longer made: 18  such as item-00" in output
    assert [line.split() for line in output.splitlines() if line.startswith(("  records", "  rejected"))] == [
        ["records", "54", "36"],
        ["rejected", "6", "24"],
    ]
    assert output.endswith("  ~ 36 records would change, 18 would no longer be made\n")
    document = as_read(run_preview_document(found))
    assert (document["run"], document["complete"]) == (past.entry.run, True)
    assert document["differences"]["gone"]["count"] == 18
    assert document["rejected_then"][0]["count"] == 6


def test_no_difference_is_said(past: PastRuns, file: Path) -> None:
    found = again(past, file)

    assert shown(found).endswith("  ✔ no record differs from that run\n")


def test_a_run_that_failed_in_transform_is_not_compared(past: PastRuns, file: Path) -> None:
    past.fail("Transform")
    found = again(past, file)

    assert "the run ended in Transform" in shown(found)
    assert run_preview_document(found)["differences"] is None


Invoke = Callable[..., Result]


@pytest.fixture
def invoke(past: PastRuns, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """The command over the pipeline of the past, with the transformation of the suite."""
    monkeypatch.setattr(Deployment, "find", lambda *_: past.deployment)
    return lambda *options: CliRunner().invoke(app, ["preview", "--region", "eu-west-1", *options])


def test_a_rejection_ends_with_3(invoke: Invoke) -> None:
    assert invoke("--id", "item-0009").exit_code == EXIT_REJECTED == 3
    assert invoke("--run", "latest", "--sample", "60").exit_code == EXIT_REJECTED


def test_an_item_without_a_time_ends_with_0(past: PastRuns, invoke: Invoke) -> None:
    past.runs.dynamodb.tables["source"].append(item(500, timestamp="soon"))
    done = invoke("--id", "item-0500")

    assert done.exit_code == 0
    assert "none rejected, 1 without a time" in done.stdout


def test_no_rejection_ends_with_0(invoke: Invoke) -> None:
    done = invoke("--id", "item-0001", "--id", "item-0002", "--json")

    assert done.exit_code == 0
    assert [each["item"]["id"]["S"] for each in json.loads(done.stdout)["items"]] == ["item-0001", "item-0002"]


def test_show_says_how_many_items_are_shown(invoke: Invoke) -> None:
    # The id of an item that is shown begins its line.
    found = [len([line for line in invoke("--show", n).stdout.splitlines() if line[:7] == "  item-"]) for n in "029"]

    assert found == [0, 2, 9]


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
def test_options_that_do_not_fit_are_refused(invoke: Invoke, options: tuple[str, ...]) -> None:
    assert invoke(*options).exit_code == 2


def test_the_command_starts_without_the_stages_and_your_code() -> None:
    """A checkout whose transformation is broken can still be looked after."""
    script = "import sys, etl_cli.app; print({*sys.modules} & {'transformation', 'etl.transform', 'etl.user'})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == "set()\n"


def test_a_forgotten_return_is_suspected(file: Path) -> None:
    edited(file, ("    return record", "    record"))
    said = " ".join(shown(previewed(file, order(1), order(2))).split())

    assert "~ 0 records of 2 items, none rejected, 2 dropped" in said
    assert "lack a return?" in said


def test_an_item_without_a_time_is_not_rejected(file: Path) -> None:
    orders = [order(1), order(2, value={"N": "-1"}), order(3, timestamp={"S": "2026-11-29T10:00:00+0000"})]
    found = previewed(file, *orders)
    said = " ".join(shown(found).split())

    assert [outcome.fate for outcome in found.outcomes] == ["transformed", "rejected", "untimed"]
    assert (found.aside.rejected, found.aside.untimed) == (1, 1)
    assert "~ 1 record of 3 items, 1 rejected (50.0 %), 1 without a time" in said
    assert preview_document(found)["counts"]["untimed"] == 1


def test_an_item_of_the_future_is_ahead(file: Path) -> None:
    found = previewed(file, order(1), order(2, timestamp={"S": "2999-01-01T00:00:00Z"}))

    assert (found.left_out["ahead"], found.dropped, found.records) == (1, 0, 1)
    assert "1 with a time in the future" in " ".join(shown(found).split())
