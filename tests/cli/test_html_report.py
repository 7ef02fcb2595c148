"""The page of a run: what it says, how it is built, and that no content of an item can become part of it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_cli.html_report.facts import RunFacts
from etl_cli.html_report.page import render
from etl_cli.html_report.tables import LONGEST
from etl_cli.summary.contents import Contents
from etl_cli.summary.report import Rejection, Sample
from etl_cli.terminal.etl_lines import EtlLines
from etl_cli.terminal.printable import visible_lines
from etl_cli.terminal.times import Times
from tests.cli.html_outline import Outline
from tests.cli.report_pages import AWS, FAILED, IN_MAP_RUNS, SUCCEEDED, facts_of, made_up, run_of
from tests.fakes.aws import RefusalError
from tests.fakes.recording import Recording

GOLDEN = Path(__file__).parent / "golden"
ETL = EtlLines(program="etl")
ALL: dict[str, Callable[[], RunFacts]] = {
    "succeeded": lambda: facts_of(Recording(SUCCEEDED)),
    "failed": lambda: facts_of(Recording(FAILED), endpoint=AWS),
    "in Map Runs": lambda: facts_of(Recording(IN_MAP_RUNS)),
    "of 36 segments": lambda: facts_of(made_up(36)),
    "failed at its start": lambda: facts_of(Recording("failed_at_plan"), started_only()),
}


def started_only() -> Any:
    """The entry of a run that failed before it had a window."""
    recording = Recording("failed_at_plan")
    entry = run_of(Recording(FAILED))
    description = recording.description
    return replace(
        entry,
        run="",
        window=None,
        stage="Plan",
        segments=0,
        error=description["error"],
        cause=description["cause"],
        name=description["name"],
        execution=recording.execution,
        started=description["startDate"],
        finished=description["stopDate"],
    )


def page_of(facts: RunFacts, times: Times | None = None, **options: Any) -> Outline:
    return Outline(render(facts, times or Times(), ETL, **options))


@pytest.fixture(scope="module", params=ALL)
def page(request: pytest.FixtureRequest) -> Outline:
    return page_of(ALL[request.param]())


def without_cost(page: Outline) -> list[str]:
    """What a page says, block by block, without its numbers of dollars: prices change."""
    said = [f"{tag}: {' '.join(text.split())}" for tag, text in page.blocks]
    return [each for each in said[: said.index("h2: Cost")] if "$" not in each] + said[said.index("h2: Look further") :]


@pytest.mark.parametrize("name", ["succeeded", "failed"])
def test_the_page_says_what_the_golden_one_says(name: str) -> None:
    outline = page_of(ALL[name]())

    assert "\n".join(without_cost(outline)) + "\n" == (GOLDEN / f"page_{name}.txt").read_text()


def test_the_page_needs_nothing_else(page: Outline) -> None:
    names = {tag for tag, _ in page.elements}
    addresses = [value for _, attributes in page.elements for name, value in attributes.items() if name == "href"]

    assert names.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "base", "form", "audio", "video"})
    assert all(re.match(r"https://[a-z0-9-]+\.console\.aws\.amazon\.com/", address) for address in addresses)
    assert not {name for _, attributes in page.elements for name in attributes if name.startswith("on")}
    assert "default-src 'none'" in page.all("meta")[1]["content"]


def test_the_page_is_well_built(page: Outline) -> None:
    headings = [tag for tag, _ in page.elements if re.fullmatch(r"h\d", tag)]
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    labels = [attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes]

    assert page.unclosed == []
    assert page.all("html") == [{"lang": "en"}]
    assert headings[0] == "h1"
    assert set(headings[1:]) == {"h2"}
    assert len(ids) == len(set(ids))
    assert set(labels) <= set(ids)
    assert all("scope" in attributes for attributes in page.all("th"))
    charts = [attributes for attributes in page.all("svg") if "chart" in attributes.get("class", "")]
    assert all((chart.get("role") == "img" and chart["aria-label"]) or chart.get("aria-hidden") for chart in charts)


def test_a_failed_run_begins_with_stage_error_cause_and_what_to_do() -> None:
    page = page_of(ALL["failed"]())
    first = [(tag, " ".join(text.split())) for tag, text in page.blocks if tag != "title"][:8]

    assert first[1] == ("h1", "The run failed at Gate")
    assert first[2] == ("p", "QualityGateError")
    assert first[3] == ("h2", "Why")
    assert "items were rejected" in first[4][1]
    assert first[5:7] == [
        ("h2", "What to do"),
        ("p", "See in quarantine what was rejected; correct the data or the transformation, and run the window again."),
    ]
    assert first[7] == ("pre", f"etl quarantine show {run_of(Recording(FAILED)).run}")
    assert "Not loaded 222" in page.said("dt")


@pytest.mark.parametrize(("status", "says"), [("ABORTED", "was stopped"), ("TIMED_OUT", "ran out of time")])
def test_a_run_that_was_ended_is_said_so(status: str, says: str) -> None:
    entry = replace(run_of(Recording(FAILED)), status=status, stage="Load", error=status, cause="")

    assert page_of(facts_of(Recording(FAILED), entry)).said("h1") == [f"The run {says} at Load"]


def test_a_run_of_distributed_maps_shows_how_far_each_came() -> None:
    page = page_of(ALL["in Map Runs"]())

    assert "no worker is seen here" in "".join(page.said("p"))
    assert [each for each in page.said("text") if " of " in each] == [
        "Extract, 4 of 4",
        "Transform, 4 of 4",
        "Load, 4 of 4",
    ]


def test_counts_that_do_not_add_up_are_the_verdict() -> None:
    recording = Recording(SUCCEEDED)
    entry = run_of(recording)
    page = page_of(facts_of(recording, replace(entry, counts=entry.counts | {"loaded": 1})))

    assert page.said("h1") == ["The run succeeded, and its counts don't add up"]
    assert [line for line in page.said("li") if "does not add up" in line] == [
        "records 104 = loaded 1 + superseded 0 + rejected 0 does not add up"
    ]


def test_a_window_without_items_is_no_failure() -> None:
    recording = Recording(SUCCEEDED)
    page = page_of(facts_of(recording, replace(run_of(recording), counts={"scanned": 16_000})))

    assert page.said("h1") == ["Nothing to load: no item lay in the window"]
    assert "Items" not in page.said("h2")


def test_a_replay_says_of_which_run() -> None:
    recording = Recording("replayed")
    page = page_of(facts_of(recording, replace(run_of(recording), replay="20261124T211315190Z")))

    assert page.said("p")[0] == "ETL pipeline, replay of a quarantine"
    assert "what run 20261124T211315190Z had in quarantine" in page.said("dd")
    assert [each for each in page.said("p") if "taken up from quarantine" in each]


def test_what_has_expired_is_missing_and_said_so() -> None:
    recording = Recording(SUCCEEDED)
    recording.s3.objects.clear()
    page = page_of(facts_of(recording))

    assert [each for each in page.said("p") if each.startswith("What the run staged has expired")]
    assert page.said("h1") == ["104 loaded, 34 rejected, nothing unaccounted for"]
    assert "One item, before and after" not in page.said("h2")


def test_a_run_that_step_functions_has_forgotten_still_has_its_balance() -> None:
    gone = RefusalError("ExecutionDoesNotExist")
    facts = facts_of(Recording(SUCCEEDED), changes={"sfn.DescribeExecution": gone, "sfn.GetExecutionHistory": gone})
    page = page_of(facts)

    assert facts.timeline is None
    assert [each for each in page.said("p") if each.startswith("Step Functions has forgotten the execution")]
    assert {"Items", "Cost", "Window and coverage"} <= set(page.said("h2"))
    assert "Workers" not in page.said("h2")


def test_items_are_left_out_if_asked_for() -> None:
    facts = ALL["succeeded"]()
    contents = render(facts, Times(), ETL), render(facts, Times(), ETL, with_items=False)

    assert ["order-000056" in each for each in contents] == [True, False]
    assert ["no such attribute" in each for each in contents] == [True, False]
    assert ["a time in UTC such as" in each for each in contents] == [True, False]
    assert "a reason that only quarantine tells" in contents[1]  # a run of before there were summaries


def test_times_are_in_utc_or_in_the_zone_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = ALL["of 36 segments"]()
    with monkeypatch.context() as changed:
        changed.setenv("TZ", "America/New_York")
        time.tzset()
        pages = page_of(facts), page_of(facts, Times(local=True))
    time.tzset()
    windows = [next(each for each in page.said("dd") if " to " in each) for page in pages]

    assert windows[0] == "2026-11-25 01:45:00 to 2026-11-26 02:00:00 UTC, 24 h 15 min"
    assert windows[1] == "2026-11-24 20:45:00 to 2026-11-25 21:00:00 EST, 24 h 15 min"
    assert [("Nov 26" in page.said("text")) for page in pages] == [True, False]  # there it is the 25th still


def test_long_windows_and_the_windows_of_long_ago_are_on_the_line() -> None:
    recording = Recording(SUCCEEDED)
    entry = run_of(recording)
    assert entry.window
    start, end = entry.window
    old = replace(entry, window=entry.window._replace(start=start - timedelta(days=400), end=end - timedelta(days=399)))
    long = replace(entry, window=entry.window._replace(start=start - timedelta(days=90)))

    for changed, days in ((old, "30 days"), (long, "91 days")):
        page = page_of(facts_of(recording, changed, with_nights=False))
        assert [each for each in page.said("p") if each.startswith(f"In the {days} up to ")]


def hostile(facts: RunFacts, text: str) -> RunFacts:
    """The facts with a text wherever one can come from outside."""
    failure, timeline = facts.record.failure, deepcopy(facts.timeline)
    assert timeline
    timeline.error = text
    for invocation in timeline.invocations:
        invocation.error = text
    record = replace(
        facts.record,
        entry=replace(facts.record.entry, name=text, run=text, execution=f"arn:aws:states:{text}:{text}:x:y"),
        failure=replace(failure, error=text, message=text, where=[text, text], stage=text) if failure else None,
    )
    contents = Contents(
        rejections=[Rejection("transform", text, text, 3, text, text)],
        aggregates=[{"name": text, "by": [text], "groups": [{text: text, "other": 1}, {text: None, "other": text}]}],
        sample=Sample(
            {},
            json.dumps({text: {"S": text}, "b": {"M": {text: {"S": text}}}}).encode(),
            json.dumps({text: [text]}).encode(),
        ),
        gone=text,
    )
    return replace(facts, record=record, timeline=timeline, contents=contents, tables=(text, text))


PLAIN = {name: hostile(ALL[name](), "aplainz") for name in ("succeeded", "failed")}
SKELETONS = {name: page_of(facts).skeleton for name, facts in PLAIN.items()}
MARKUP = [
    "</style><script>x()</script>",
    '"><img src=x onerror=x()>',
    "' onload='x()",
    "{{ 7 * 7 }}{% raw %}",
    "]]>",
    "-->",
]


@settings(max_examples=60, deadline=None)
@given(text=st.text(min_size=1) | st.sampled_from(MARKUP), name=st.sampled_from(list(PLAIN)))
def test_hostile_text_stays_text(text: str, name: str) -> None:
    # A letter before and after, since an empty text, or one of blanks, is told in another way.
    page = page_of(hostile(PLAIN[name], f"a{text}z"))

    assert page.skeleton == SKELETONS[name]
    assert visible_lines(f"a{text}z") in [said for tag, said in page.blocks if tag == "p"]


def test_control_characters_are_seen() -> None:
    cells = page_of(hostile(PLAIN["succeeded"], "a\0b\x7f\x1b[0m\r")).said("td")

    assert r"a\x00b\x7f\x1b[0m\r" in cells


def test_what_is_too_long_to_be_read_is_cut() -> None:
    cells = page_of(hostile(PLAIN["succeeded"], "a" * 400_000)).said("td")

    rest = "… (400,000 characters)"
    assert "a" * (LONGEST - len(rest)) + rest in cells
