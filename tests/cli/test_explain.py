"""`etl explain`: the way of one item, in runs made by the functions' own code."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from etl.model.schema import SPECIFIED
from etl_cli.app import app
from etl_cli.aws.deployment import Deployment
from etl_cli.items.explanation import Explanation, explain_item
from etl_cli.items.explanation_verdict import Verdict, judge
from etl_cli.items.item_key import ItemKey
from etl_cli.items.search import occurs_in
from etl_cli.render.explain import explanation_document, print_explanation
from etl_cli.runs.ledger import read_ledger
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.times import Times
from tests.cli.documents import as_read
from tests.cli.screens import printed
from tests.docs.examples import example
from tests.fakes.past_runs import NOW as READ
from tests.fakes.past_runs import PastRuns, edited, items
from tests.unit.builders import END, item

NOW = datetime(2024, 1, 16, 12, tzinfo=UTC)
RUN = "20240116T020000123Z"
SECOND = "20240116T030000123Z"
NEXT_DAY = {"start": END, "end": "2024-01-16T01:00:00Z"}
AGAIN = ["etl run --start 2024-01-15T10:00:00Z --end 2024-01-15T10:00:01Z"]


@pytest.fixture
def past(file: Path) -> PastRuns:
    made = PastRuns(items(30), file, segments=2)
    made.run()
    return made


def explained(past: PastRuns, identity: str, most_runs: int = 5) -> tuple[Explanation, Verdict]:
    key = ItemKey(SPECIFIED.source, (identity,))
    ledger = read_ledger(past.deployment.dynamodb, past.deployment.names, READ)
    found = explain_item(past.deployment, key, SPECIFIED, ledger, now=NOW, most_runs=most_runs)
    return found, judge(found, EtlLines(program="etl"))


def verdict(past: PastRuns, identity: str, most_runs: int = 5) -> Verdict:
    return explained(past, identity, most_runs)[1]


def table(past: PastRuns, name: str) -> list[dict[str, Any]]:
    return past.runs.dynamodb.tables[name]


def change(past: PastRuns, identity: str, name: str = "source", **attributes: dict[str, Any]) -> None:
    (found,) = [each for each in table(past, name) if each["id"]["S"] == identity]
    found |= attributes


def remove(past: PastRuns, identity: str, name: str) -> None:
    table(past, name)[:] = [each for each in table(past, name) if each["id"]["S"] != identity]


def test_an_item_that_was_loaded(past: PastRuns) -> None:
    found, said = explained(past, "item-0001")

    assert (said.outcome, said.advice, said.lines) == ("loaded", "", [])
    assert RUN in said.says
    assert [(each.entry.run, each.state) for each in found.runs] == [(RUN, "read")]
    assert json.loads(found.destination[0])["size"] == {"S": "small"}


def test_a_quarantined_item_has_its_reason_and_a_way_out(past: PastRuns) -> None:
    said = verdict(past, "item-0009")

    assert said.outcome == "quarantined"
    assert "value: expected a number >= 0, got -1" in said.says
    assert said.lines == ["etl preview --id item-0009", f"etl quarantine replay {RUN}"]


def test_an_item_corrected_to_another_window_is_loaded(past: PastRuns) -> None:
    table(past, "source").append(item(500, timestamp="2024-01-14T10:00:00+00:00"))
    past.run(NEXT_DAY, number=2)
    table(past, "source")[-1] = item(500, timestamp="2024-01-14T10:00:00Z")
    past.run({"replay": SECOND}, number=3)

    assert verdict(past, "item-0500").outcome == "loaded"


def test_an_item_that_was_corrected_and_replayed_is_loaded(past: PastRuns) -> None:
    change(past, "item-0009", value={"N": "5"})
    past.run({"replay": RUN}, number=2)
    found, said = explained(past, "item-0009")

    assert said.outcome == "loaded"
    assert SECOND in said.says
    assert [each.entry.run for each in found.runs] == [SECOND, RUN]
    # A replay covers what was in quarantine alone.
    assert [each.entry.run for each in explained(past, "item-0001")[0].runs] == [RUN]


def test_an_item_replayed_with_a_time_of_no_window_is_loaded(past: PastRuns) -> None:
    table(past, "source").append(item(500, timestamp="2024-01-15T10:00:00+0000"))
    past.run(NEXT_DAY, number=2)
    change(past, "item-0500", timestamp={"S": "2023-05-05T10:00:00Z"})
    past.run({"replay": SECOND}, number=3)
    found, said = explained(past, "item-0500")

    assert (said.outcome, [each.state for each in found.runs]) == ("loaded", ["read"])
    assert "20240116T040000123Z" in said.says


def test_an_item_that_has_changed_is_run_again(past: PastRuns) -> None:
    change(past, "item-0001", value={"N": "7"})
    said = verdict(past, "item-0001")

    assert (said.outcome, said.lines) == ("changed", AGAIN)


def test_an_item_with_a_new_timestamp_is_found_at_its_old_one(past: PastRuns) -> None:
    change(past, "item-0001", timestamp={"S": "2023-05-05T10:00:00Z"})
    found, said = explained(past, "item-0001")

    assert (said.outcome, [each.state for each in found.runs]) == ("changed", ["read"])
    assert said.lines == ["etl run --start 2023-05-05T10:00:00Z --end 2023-05-05T10:00:01Z"]


def test_an_item_that_the_transformation_drops(file: Path) -> None:
    edited(file, ("    return record", '    return None if record["id"] == "item-0001" else record'))
    past = PastRuns(items(30), file)
    past.run()

    said = verdict(past, "item-0001")
    assert said.outcome == "dropped"
    assert "transform() returned nothing" in said.says


def test_an_item_that_becomes_records_with_other_ids(file: Path) -> None:
    edited(file, ("    return record", '    return [record | {"id": f"{record[\'id\']}#{n}"} for n in range(2)]'))
    past = PastRuns([item(1), item(11)], file)
    past.run()
    found, said = explained(past, "item-0001")

    assert said.outcome == "loaded"
    assert [found.key_of(each).values[0] for each in found.destination] == ["item-0001#0", "item-0001#1"]
    assert found.runs[0].made.related


def test_an_item_that_becomes_more_records_than_are_looked_at(file: Path) -> None:
    times = "[record | {'timestamp': f'2024-01-15T10:00:{second:02}Z'} for second in range(40)]"
    past = PastRuns(items(30), edited(file, ("    return record\n", f"    return {times}\n")))
    past.run()

    said = verdict(past, "item-0001")
    assert said.outcome == "loaded"
    assert "25 of 40 records were looked at" in said.says


def test_an_item_whose_records_do_not_name_it(file: Path) -> None:
    edited(file, ("    return record", '    record["id"] = "x"\n    return record'))
    past = PastRuns([item(1)], file)
    past.run()

    assert "other keys" in verdict(past, "item-0001").says


def test_an_item_that_a_failed_run_has_read(past: PastRuns) -> None:
    past.fail("Load", "TransientError")
    said = verdict(past, "item-0001")

    assert (said.outcome, said.lines) == ("failed", AGAIN)
    assert f"{RUN} read it, and failed at Load: TransientError" in said.says


def test_an_item_of_a_run_without_an_end(past: PastRuns) -> None:
    past.runs.dynamodb.ledger.items["run", past.entry.name] |= {
        "status": {"S": "RUNNING"},
        "started_at": {"S": "2024-01-16T01:50:00Z"},
    }

    assert (verdict(past, "item-0001").outcome, verdict(past, "item-0001").lines) == ("failed", AGAIN)


def test_an_item_that_a_run_is_at(past: PastRuns) -> None:
    past.runs.dynamodb.ledger.items["run", past.entry.name]["status"] = {"S": "RUNNING"}

    assert (verdict(past, "item-0001").outcome, verdict(past, "item-0001").lines) == ("running", [f"etl watch {RUN}"])


def test_an_item_that_is_gone_from_the_destination(past: PastRuns) -> None:
    remove(past, "item-0001", "destination")

    assert (verdict(past, "item-0001").outcome, verdict(past, "item-0001").lines) == ("deleted", AGAIN)


def test_an_item_that_another_program_has_written_over(past: PastRuns) -> None:
    change(past, "item-0001", "destination", size={"S": "huge"})

    assert verdict(past, "item-0001").outcome == "overwritten"


def test_an_item_that_is_gone_from_the_source(past: PastRuns) -> None:
    remove(past, "item-0001", "source")
    assert verdict(past, "item-0001").outcome == "loaded"

    past.objects.clear()
    assert verdict(past, "item-0001").outcome == "unknown"


def test_an_item_that_came_after_its_run(past: PastRuns) -> None:
    table(past, "source").append(item(500))
    said = verdict(past, "item-0500")

    assert (said.outcome, said.lines) == ("not read", AGAIN)
    assert f"{RUN} covers its timestamp" in said.says
    assert "scheduled" not in said.advice

    past.runs.dynamodb.ledger.items["watermark", "watermark"] = {"since": {"S": END}, "end": {"S": END}}
    assert "scheduled" not in verdict(past, "item-0500").advice  # the schedule is beyond it


def test_an_item_that_the_schedule_has_yet_to_come_to(past: PastRuns) -> None:
    past.runs.dynamodb.ledger.items["watermark", "watermark"] = {"since": {"S": END}, "end": {"S": END}}
    table(past, "source").append(item(500, timestamp="2024-01-16T11:00:00.5Z"))
    said = verdict(past, "item-0500")

    assert said.outcome == "not read"
    assert "next scheduled run" in said.advice
    assert said.lines == ["etl run --start 2024-01-16T11:00:00Z --end 2024-01-16T11:00:01Z"]


def test_an_item_of_the_future(past: PastRuns) -> None:
    table(past, "source").append(item(500, timestamp="2024-01-16T12:00:00Z"))

    assert "in the future" in verdict(past, "item-0500").says
    assert verdict(past, "item-0500").lines == []


def test_an_item_whose_runs_failed_before_they_read_it(past: PastRuns) -> None:
    table(past, "source").append(item(500))
    past.fail("Extract", "ConfigurationError")

    assert f"{RUN} covers its timestamp, and failed at Extract: ConfigurationError" in verdict(past, "item-0500").says


def test_an_item_without_a_usable_timestamp(past: PastRuns) -> None:
    table(past, "source").append(item(500, timestamp="yesterday"))
    assert "no usable timestamp" in verdict(past, "item-0500").says

    past.run(NEXT_DAY, number=2)  # every run reads it
    assert f"quarantine of run {SECOND}" in verdict(past, "item-0500").says


def test_a_letter_for_a_digit_is_read_by_every_run(past: PastRuns) -> None:
    table(past, "source").append(item(500, timestamp="2O24-01-15T10:00:00Z"))
    found = verdict(past, "item-0500")
    assert (found.outcome, found.lines) == ("not read", ["etl preview --id item-0500"])
    assert "every run" in found.advice

    past.run(NEXT_DAY, number=2)
    assert f"quarantine of run {SECOND}" in verdict(past, "item-0500").says


def test_the_advice_depends_on_the_rejection(past: PastRuns) -> None:
    table(past, "source").append(item(500, timestamp="2024-01-15T10:00:00+0000"))
    past.run(NEXT_DAY, number=2)
    untimed, rejected = verdict(past, "item-0500"), verdict(past, "item-0009")

    assert "timestamp in the source table" in untimed.advice
    assert untimed.lines == ["etl preview --id item-0500", f"etl quarantine replay {SECOND}"]
    assert "item or transformation.py" in rejected.advice


def test_only_one_window_reads_a_text_that_sorts_as_a_time(past: PastRuns) -> None:
    table(past, "source").append(item(500, timestamp="2023-13-45T10:00:00Z"))
    found = verdict(past, "item-0500")

    assert (found.outcome, found.lines) == ("not read", ["etl preview --id item-0500"])
    assert "only a run whose window" in found.advice


@pytest.mark.parametrize("timestamp", ["9999-99-99T99:99:99Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.9Z"])
def test_the_last_second_of_the_calendar_is_explained(past: PastRuns, timestamp: str) -> None:
    table(past, "source").append(item(500, timestamp=timestamp))

    assert verdict(past, "item-0500").outcome == "not read"


def test_an_item_of_the_future_belongs_to_a_later_run(past: PastRuns) -> None:
    table(past, "source").append(item(500, timestamp="2099-01-01T00:00:00Z"))
    past.run(NEXT_DAY, number=2)
    found = verdict(past, "item-0500")

    assert found.outcome == "not read"
    assert "in the future" in found.says


def test_expired_staged_objects_are_named(past: PastRuns) -> None:
    past.objects.clear()
    assert verdict(past, "item-0001").outcome == "loaded"
    assert "expired" in verdict(past, "item-0001").says

    remove(past, "item-0001", "destination")
    assert (verdict(past, "item-0001").outcome, verdict(past, "item-0001").lines) == ("not read", AGAIN)


def test_no_more_runs_are_searched_than_asked_for(past: PastRuns) -> None:
    past.run(number=2)
    found, _ = explained(past, "item-0001", most_runs=1)

    assert [(each.entry.run, each.state) for each in found.runs] == [(SECOND, "read"), (RUN, "not searched")]
    assert "(--runs)" in verdict(past, "item-0001", most_runs=0).says


def test_runs_that_were_not_searched_take_one_line(past: PastRuns) -> None:
    table(past, "source").append(item(500, timestamp="2024-01-15T10:00:00+0000"))
    for number in range(2, 7):
        past.run(NEXT_DAY, number=number)

    text = shown(past, "item-0500", most_runs=2)

    assert text.count("without a time: timestamp") == 2
    assert re.search(r"^ {15}4 more +cover it and were not searched \(--runs\)$", text, re.MULTILINE)
    assert re.search(r"^  runs {9}6 more +cover it", shown(past, "item-0500", most_runs=0), re.MULTILINE)


def test_an_unknown_id_is_refused(past: PastRuns) -> None:
    with pytest.raises(UserError, match="item-000"):
        explained(past, "item-000")


@pytest.mark.parametrize("identity", ['say "x"', "ä/ö", "back\\slash", "a b,c", "item-0001\u2028", "[.*]"])
def test_ids_may_have_any_characters(file: Path, identity: str) -> None:
    past = PastRuns([*items(10), item(1) | {"id": {"S": identity}}], file)
    past.run()

    assert verdict(past, identity).outcome == "loaded"


@pytest.mark.parametrize(
    ("identity", "other", "occurs"),
    [
        ("order-1", "order-1", True),
        ("order-1", "order-1#2", True),
        ("order-1", "line/order-1", True),
        ("order-1", "order-12", False),
        ("order-1", "reorder-1", False),
        ("a.c", "abc", False),
    ],
)
def test_an_id_occurs_as_a_word(identity: str, other: str, occurs: bool) -> None:
    assert occurs_in((identity,), (other,)) is occurs


def test_programs_get_all_of_it(past: PastRuns) -> None:
    document = as_read(explanation_document(*explained(past, "item-0009")))

    assert (document["outcome"], document["source"]["value"]) == ("quarantined", {"N": "-1"})
    assert document["runs"][0]["rejections"] == [
        {"stage": "transform", "field": "value", "rule": "expected a number >= 0", "got": "-1", "untimed": False}
    ]
    assert (document["made"], document["destination"], document["destination_is_as_made"]) == ([], [], False)
    assert document["commands"][-1] == f"etl quarantine replay {RUN}"


def shown(past: PastRuns, identity: str, most_runs: int = 5) -> str:
    found, tables = explained(past, identity, most_runs), ("etl-source-data", "etl-destination-data")
    return printed(lambda console: print_explanation(console, *found, tables, Times()))


def test_the_documented_example_of_explain_is_exact(past: PastRuns) -> None:
    assert shown(past, "item-0009") == example("etl explain")


def test_a_loaded_item_is_shown_before_and_after(past: PastRuns) -> None:
    past.run(NEXT_DAY, number=2)
    output = shown(past, "item-0001")

    assert f"runs         {RUN}   read it, and made 1 record\n" in " " + output.replace("  runs", "runs")
    assert " + as_of" in output
    assert "as it was read" in output
    assert SECOND not in output  # its window is another


def test_the_command_prints_json(past: PastRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Deployment, "find", lambda *_: past.deployment)
    done = CliRunner().invoke(app, ["explain", "item-0001", "--region", "eu-west-1", "--json"])

    assert (done.exit_code, json.loads(done.stdout)["outcome"]) == (0, "loaded")
