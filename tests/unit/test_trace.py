import re

import pytest

from etl.invocation.trace import Trace, annotate, current_trace
from tests.fakes.xray import daemon

ROOT, PARENT = "1-581cf771-a006649127e371903a2de979", "53995c3f42cd8ad8"
SAMPLED = Trace(ROOT, PARENT, True)


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        (f"Root={ROOT};Parent={PARENT};Sampled=1", SAMPLED),
        (f"Root={ROOT};Parent={PARENT};Sampled=1;Lineage=1:a87bd80c:0", SAMPLED),
        (f"Root={ROOT};Parent={PARENT};Sampled=0", Trace(ROOT, PARENT, False)),
        (f"Root={ROOT}", Trace(ROOT, "", False)),
        ("Parent=1", None),
        ("", None),
        (None, None),
    ],
)
def test_the_trace_is_the_one_that_lambda_tells(header: str | None, trace: Trace | None) -> None:
    assert current_trace({} if header is None else {"_X_AMZN_TRACE_ID": header}) == trace


def test_a_subsegment_lies_in_the_segment_of_the_invocation() -> None:
    with daemon() as received:
        env = {"AWS_XRAY_DAEMON_ADDRESS": received.address}
        annotate(SAMPLED, "load", (1.5, 2.25), {"run": "20240116T020000123Z"}, env)
        annotate(SAMPLED, "load", (3.0, 4.0), {"error": "BalanceError"}, env)
        first, second = received(), received()

    assert re.fullmatch("[0-9a-f]{16}", first["id"])
    assert first["id"] != second["id"]
    assert first | {"id": ""} == {
        "type": "subsegment",
        "trace_id": ROOT,
        "parent_id": PARENT,
        "id": "",
        "name": "load",
        "start_time": 1.5,
        "end_time": 2.25,
        "fault": False,
        "annotations": {"run": "20240116T020000123Z"},
    }
    assert second["fault"] is True


def test_a_trace_that_is_not_kept_gets_nothing() -> None:
    with daemon() as received:
        annotate(Trace(ROOT, PARENT, False), "load", (1, 2), {}, {"AWS_XRAY_DAEMON_ADDRESS": received.address})

        assert received.silent


@pytest.mark.parametrize("address", [None, "", "127.0.0.1", "127.0.0.1:port", "no.such.host.invalid:2000", "x y:1"])
def test_without_a_daemon_nothing_happens(address: str | None) -> None:
    annotate(SAMPLED, "load", (1, 2), {}, {} if address is None else {"AWS_XRAY_DAEMON_ADDRESS": address})
