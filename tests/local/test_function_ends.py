"""The ends of functions in the embedded AWS, and their traces: memory, REPORT lines, throttled starts.

When a test of `uncorrected` fails, upstream behaves as AWS does: take the correction out.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from etl_cli.local.clients import Clients
from etl_cli.runs.log_lines import LogLine
from tests.local.aws import ROLE, create_function, deploy_resource, finish, invoke, run, start, task

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory a process has had")
MEMORY_MB = 128  # the least that there is

# Takes so many MiB at once, in the way that it is told.
TAKING = """
    import os, time

    held = []

    def handler(event, context):
        taken = b"x" * (event["mb"] << 20)
        if event.get("way") == "kept":
            held.append(taken)
        if event.get("way") == "for ever":
            time.sleep(60)
        if event.get("way") == "in a child":
            child = os.fork()
            if not child:
                own = b"y" * (event["mb"] << 20)
                time.sleep(1)
                os._exit(0)
            os.waitpid(child, 0)
        del taken
        return os.getpid()
"""
SLOW = """
    import time

    def handler(event, context):
        time.sleep(event)
        return "slept"
"""


def messages(clients: Clients, function: str) -> list[str]:
    """The lines of a function's log."""
    group = clients.logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")
    return [event["message"] for event in group["events"]]


def reports(clients: Clients, function: str) -> list[list[str]]:
    """The facts of a function's REPORT lines, from its memory on."""
    return [line.split("\t")[3:] for line in messages(clients, function) if line.startswith("REPORT ")]


@ON_LINUX
@pytest.mark.parametrize("way", ["", "kept", "for ever"])
def test_function_that_outgrows_its_memory_is_killed(corrected: Clients, request: Any, way: str) -> None:
    name = f"taking-{request.node.callspec.indices['way']}"
    create_function(corrected, name, TAKING, memory_mb=MEMORY_MB)

    started = time.monotonic()
    first, payload, last = (invoke(corrected, name, event) for event in ({"mb": 1}, {"mb": 150, "way": way}, {"mb": 1}))

    assert payload["errorType"] == "Runtime.OutOfMemory"
    assert payload["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
    assert time.monotonic() - started < 10
    assert first != last
    assert reports(corrected, name)[1] == [
        f"Memory Size: {MEMORY_MB} MB",
        f"Max Memory Used: {MEMORY_MB} MB",
        "Status: error",
        "Error Type: Runtime.OutOfMemory",
    ]


@ON_LINUX
def test_import_that_takes_too_much_memory_is_killed(corrected: Clients) -> None:
    source = "taken = [b'x' * (150 << 20)]\ndef handler(event, context): return 'imported'"
    create_function(corrected, "importing", source)

    assert invoke(corrected, "importing", {})["errorType"] == "Runtime.OutOfMemory"
    assert reports(corrected, "importing")[0][2:] == ["Status: error", "Error Type: Runtime.OutOfMemory"]


@ON_LINUX
def test_forked_process_counts_with_what_it_does_not_share(corrected: Clients) -> None:
    create_function(corrected, "forking", TAKING, memory_mb=MEMORY_MB)

    assert isinstance(invoke(corrected, "forking", {"mb": 25, "way": "in a child"}), int)
    assert isinstance(invoke(corrected, "forking", {"mb": 80}), int)
    payload = invoke(corrected, "forking", {"mb": 60, "way": "in a child"})

    assert payload["errorType"] == "Runtime.OutOfMemory"


@ON_LINUX
def test_memory_of_a_process_is_kept_between_invocations(corrected: Clients) -> None:
    create_function(corrected, "keeping", TAKING, memory_mb=MEMORY_MB)
    event = {"mb": 45, "way": "kept"}

    made = [invoke(corrected, "keeping", event) for _ in range(3)]

    assert made[0] == made[1]
    assert made[2]["errorType"] == "Runtime.OutOfMemory"


@ON_LINUX
def test_report_tells_the_memory_that_a_process_has_had(corrected: Clients) -> None:
    create_function(corrected, "measured", TAKING, memory_mb=400)

    for mb in (0, 200, 0):
        invoke(corrected, "measured", {"mb": mb})

    used = [
        int(facts[1].removeprefix("Max Memory Used: ").removesuffix(" MB")) for facts in reports(corrected, "measured")
    ]
    assert 5 < used[0] < 60
    assert 200 < used[1] < 260
    assert used[2] == used[1]


@ON_LINUX
def test_a_state_machine_retries_a_function_out_of_memory(corrected: Clients) -> None:
    function = create_function(
        corrected,
        "shrinking",
        "def handler(event, context):\n    return len(b'x' * (event['mb'] << 20)) if not event['retry'] else 'less'",
        memory_mb=MEMORY_MB,
    )
    states = task(
        function,
        Parameters={"mb": 150, "retry.$": "$$.State.RetryCount"},
        Retry=[{"ErrorEquals": ["Runtime.OutOfMemory"], "MaxAttempts": 1}],
    )

    execution = run(corrected, "shrinking", states, {})

    assert json.loads(execution["output"]) == "less"


def test_uncorrected_function_has_any_memory(uncorrected: Clients) -> None:
    create_function(uncorrected, "taking", TAKING, memory_mb=MEMORY_MB)

    assert isinstance(invoke(uncorrected, "taking", {"mb": 150}), int)


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("import time\ndef handler(event, context):\n    print('begins'); time.sleep(5)", ["Status: timeout"]),
        (
            "import os\ndef handler(event, context):\n    print('begins', flush=True); os._exit(3)",
            ["Status: error", "Error Type: Runtime.ExitError"],
        ),
        (
            "def handler(event, context):\n    print('begins'); raise ValueError('no')",
            ["Status: error", "Error Type: ValueError"],
        ),
        ("print('begins')\nimport nothing_like_it", ["Status: error", "Error Type: Runtime.ImportModuleError"]),
        ("def handler(event, context):\n    print('begins')", []),
    ],
    ids=["timeout", "exit", "raised", "import", "fine"],
)
def test_report_is_the_one_line_that_tells_of_a_death(
    corrected: Clients, request: Any, source: str, status: list[str]
) -> None:
    name = f"reporting-{request.node.callspec.id}"
    create_function(corrected, name, source, timeout_seconds=1)

    invoke(corrected, name, {})

    assert [facts[2:] for facts in reports(corrected, name)] == [status]
    lines = messages(corrected, name)
    assert not any("Task timed out" in line or "Runtime exited" in line or "process died" in line for line in lines)
    shown = [LogLine.of(name, {"message": line, "timestamp": 0}) for line in lines]
    assert [line.text for line in shown if not line.is_routine and line.text.startswith("REPORT")] == [
        line for line in lines if "Status: " in line
    ]


def test_uncorrected_report_does_not_tell_of_a_time_out(uncorrected: Clients) -> None:
    create_function(uncorrected, "late", SLOW, timeout_seconds=1)

    invoke(uncorrected, "late", 5)

    assert [facts[2:] for facts in reports(uncorrected, "late")] == [[]]
    assert any("Task timed out after" in line for line in messages(uncorrected, "late"))


def throttled_execution(clients: Clients) -> str:
    """The error of a state machine whose function has no room left."""
    function = create_function(clients, "crowded", SLOW)
    clients.lambda_.put_function_concurrency(FunctionName="crowded", ReservedConcurrentExecutions=1)
    first = start(clients, "crowding", task(function), 2)
    time.sleep(0.5)
    second = run(clients, "crowded", task(function), 0)
    assert finish(clients, first)["status"] == "SUCCEEDED"
    return second["error"]


def test_throttled_start_has_the_name_that_it_has_on_aws(corrected: Clients) -> None:
    assert throttled_execution(corrected) == "Lambda.TooManyRequestsException"


def test_uncorrected_throttled_start_has_no_name(uncorrected: Clients) -> None:
    assert throttled_execution(uncorrected) == "Lambda.Unknown"


def reserved_by_stack(clients: Clients, name: str, reserved: int | None) -> int | None:
    """Deploy a stack with a function of this reservation; return Lambda's answer about it."""
    properties: dict[str, Any] = {
        "FunctionName": name,
        "Runtime": "python3.11",
        "Handler": "index.handler",
        "Role": ROLE,
        "Code": {"ZipFile": "def handler(event, context): return event"},
    }
    if reserved is not None:
        properties["ReservedConcurrentExecutions"] = reserved
    deploy_resource(clients, name, "AWS::Lambda::Function", properties)
    return clients.lambda_.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")


def test_stack_sets_changes_and_takes_back_a_reservation(corrected: Clients) -> None:
    assert [reserved_by_stack(corrected, "reserved", number) for number in (3, 5, None)] == [3, 5, None]


def test_uncorrected_stack_drops_a_reservation(uncorrected: Clients) -> None:
    assert reserved_by_stack(uncorrected, "reserved", 3) is None


def test_parallel_invocations_have_separate_memory_limits(corrected: Clients) -> None:
    create_function(corrected, "many", TAKING, memory_mb=MEMORY_MB)

    with ThreadPoolExecutor(8) as pool:
        made = list(
            pool.map(lambda mb: invoke(corrected, "many", {"mb": mb}), [1, 150] * 4 if sys.platform == "linux" else [1])
        )

    assert [isinstance(each, int) for each in made] == ([True, False] * 4 if sys.platform == "linux" else [True])
