"""X-Ray: the annotations by which you find the trace of a run.

Lambda records a segment for each invocation, in the trace of the execution. Only a subsegment can have annotations.
Each invocation sends one as a datagram to the daemon in the function's sandbox. That takes microseconds; the SDK would
make each cold start slower.
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
    """The place of an invocation in a trace.

    Attributes:
        root: id of the trace, the same in all functions of an execution.
        parent: id of the segment that Lambda began for the invocation.
        sampled: whether X-Ray keeps this trace.
    """

    root: str
    parent: str
    sampled: bool


def current_trace(env: Mapping[str, str]) -> Trace | None:
    """The invocation's trace, from Lambda's variable ``_X_AMZN_TRACE_ID``; None if there is none.

    Source: Lambda developer guide, "Defined runtime environment variables".
    """
    header = dict(part.partition("=")[::2] for part in env.get("_X_AMZN_TRACE_ID", "").split(";"))
    if "Root" not in header:
        return None
    return Trace(header["Root"], header.get("Parent", ""), header.get("Sampled") == "1")


def annotate(
    trace: Trace, name: str, times: tuple[float, float], annotations: Mapping[str, str], env: Mapping[str, str]
) -> None:
    """Send a subsegment for the invocation. Failures to send it are ignored.

    Args:
        trace: the trace of the invocation.
        name: name of the subsegment.
        times: begin and end of the work, in seconds since 1970.
        annotations: the names and values to find the trace by. With an ``error`` the subsegment is shown as failed.
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
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.setblocking(False)
        daemon.sendto(_HEADER + json.dumps(document).encode(), (host, int(port)))
