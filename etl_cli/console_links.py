"""Links to the AWS console; the local environment has none."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_local(endpoint: str) -> bool:
    """Whether an endpoint is on this machine."""
    return urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1")
