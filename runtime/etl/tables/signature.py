"""Signature Version 4 for BatchWriteItem: the same as botocore's, at a fraction of the cost."""

import hmac
from collections.abc import Callable
from hashlib import sha256
from time import gmtime, strftime, time
from urllib.parse import urlsplit

from botocore.credentials import Credentials, ReadOnlyCredentials

OPERATION = "BatchWriteItem"
DEFAULT_PORTS = {"https": 443, "http": 80}
_TARGET = f"DynamoDB_20120810.{OPERATION}"
_CONTENT_TYPE = "application/x-amz-json-1.0"


class Signer:
    """Makes the heads of signed requests, by Signature Version 4.

    Requests of the same second share most of a signature, which is kept.

    Args:
        endpoint: URL of DynamoDB.
        region: region that the signature is for.
        credentials: read for every request, so that they are renewed in time.
        more: further headers, without a signature.
        clock: seconds since 1970, the time of the signature.
    """

    def __init__(
        self,
        endpoint: str,
        region: str,
        credentials: Credentials,
        more: dict[str, str] | None = None,
        clock: Callable[[], float] = time,
    ) -> None:
        url = urlsplit(endpoint)
        host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
        self._host = f"{host}" if url.port in (None, DEFAULT_PORTS[url.scheme]) else f"{host}:{url.port}"
        self._region = region
        self._credentials = credentials
        self._more = "".join(f"{name}: {value}\r\n" for name, value in (more or {}).items())
        self._clock = clock
        self._kept: tuple[int, ReadOnlyCredentials] | None = None

    def head(self, body: bytes) -> bytes:
        """The request line and the headers for ``body``, with the empty line that ends them."""
        now, credentials = int(self._clock()), self._credentials.get_frozen_credentials()
        if (now, credentials) != self._kept:
            self._prepare(now, credentials)
            self._kept = (now, credentials)
        canonical = self._canonical + sha256(body).hexdigest().encode()
        signature = hmac.digest(self._key, self._to_sign + sha256(canonical).hexdigest().encode(), "sha256").hex()
        return self._head % (len(body), signature.encode())

    def _prepare(self, now: int, credentials: ReadOnlyCredentials) -> None:
        """Compute the parts that the requests of one second share."""
        instant = strftime("%Y%m%dT%H%M%SZ", gmtime(now))
        signed = {"content-type": _CONTENT_TYPE, "host": self._host, "x-amz-date": instant}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        signed["x-amz-target"] = _TARGET
        names = ";".join(signed)
        lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
        self._canonical = f"POST\n/\n\n{lines}\n{names}\n".encode()
        scope = (instant[:8], self._region, "dynamodb", "aws4_request")
        self._to_sign = f"AWS4-HMAC-SHA256\n{instant}\n{'/'.join(scope)}\n".encode()
        self._key = f"AWS4{credentials.secret_key}".encode()
        for part in scope:
            self._key = hmac.digest(self._key, part.encode(), "sha256")
        headers = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
        authorization = f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{'/'.join(scope)}, SignedHeaders={names}"
        fixed = f"POST / HTTP/1.1\r\n{headers}{self._more}".replace("%", "%%")
        self._head = (
            f"{fixed}content-length: %d\r\nauthorization: {authorization.replace('%', '%%')}, Signature=%b\r\n\r\n"
        ).encode()
