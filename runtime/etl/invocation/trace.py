"""The invocation's place in X-Ray's traces, and what is told there of it.

Lambda records a segment for each invocation, and hangs it into the trace of the state machine's execution. Only a
subsegment can carry annotations, by which traces are found. One is sent for each invocation, by hand: a datagram to
the daemon in the function's sandbox takes microseconds, and the SDK would cost more at each cold start.
"""

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

# Source: AWS X-Ray developer guide, "Sending segment documents to the X-Ray daemon".
_HEADER = b'{"format": "json", "version": 1}\n'


class Trace(NamedTuple):
    """Where an invocation is in a trace.

    Attributes:
        root: the trace's id, the same in all functions of an execution.
        parent: id of the segment that Lambda has begun for the invocation.
        sampled: whether X-Ray keeps this trace.
    """

    root: str
    parent: str
    sampled: bool


def current_trace(env: Mapping[str, str]) -> Trace | None:
    """The invocation's trace, as Lambda tells it in ``_X_AMZN_TRACE_ID``; None where there is none.

    Source: Lambda developer guide, "Defined runtime environment variables".
    """
    header = dict(part.partition("=")[::2] for part in env.get("_X_AMZN_TRACE_ID", "").split(";"))
    if "Root" not in header:
        return None
    return Trace(header["Root"], header.get("Parent", ""), header.get("Sampled") == "1")


def annotate(
    trace: Trace, name: str, times: tuple[float, float], annotations: Mapping[str, str], env: Mapping[str, str]
) -> None:
    """Send the invocation's subsegment; what goes wrong then is nobody's concern.

    Args:
        trace: the invocation's.
        name: what the subsegment is called.
        times: when the work began and ended, in seconds since 1970.
        annotations: by what the trace is found; with an ``error`` the subsegment is shown as failed.
        env: has the daemon's address, ``AWS_XRAY_DAEMON_ADDRESS``.
    """
    host, _, port = env.get("AWS_XRAY_DAEMON_ADDRESS", "").rpartition(":")
    if not (trace.sampled and host and port.isdecimal()):
        return
    document = {
        "type": "subsegment",
        "trace_id": trace.root,
        "parent_id": trace.parent,
        "id": os.urandom(8).hex(),
        "name": name,
        "start_time": times[0],
        "end_time": times[1],
        "fault": "error" in annotations,
        "annotations": dict(annotations),
    }
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.setblocking(False)
        channel.sendto(_HEADER + json.dumps(document).encode(), (host, int(port)))
