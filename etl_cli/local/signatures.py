"""Checks the signature of a request, as AWS does."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any

from etl_cli.local.credentials import account_of, resolve_key
from etl_cli.local.request import Received, Refusal

_MOST_SECONDS_PRESIGNED = 604_800
_CLOCK_SKEW_SECONDS = 900
_HEX_SHA256 = 64


def refusal_of_signature(request: Received, key: str, body: bytes) -> Refusal | None:
    """Refuse a signature that is wrong, incomplete, expired, or of another body."""
    from ministack.core import sigv4

    authorization = request.headers.get("authorization", "")
    presigned = not authorization
    if authorization.startswith("AWS ") or (presigned and not request.parameter("X-Amz-Credential")):
        return _refusal_of_version_2(request, key)
    signature = (
        sigv4.parse_query_signature(request.query) if presigned else sigv4.parse_header_signature(request.headers)
    )
    if isinstance(signature, tuple):
        return Refusal(*signature)
    if signature.region_set is not None or "host" not in signature.signed_headers.split(";"):
        return Refusal("IncompleteSignature", "Sign with AWS4-HMAC-SHA256, the header Host included.")
    failure = _refusal_of_time(request, signature) if presigned else sigv4.request_time_failure(signature)
    if failure:
        return Refusal(*failure)
    payload = request.headers.get("x-amz-content-sha256", "")
    if len(payload) == _HEX_SHA256 and not hmac.compare_digest(
        payload.encode(), hashlib.sha256(body).hexdigest().encode()
    ):
        return Refusal("XAmzContentSHA256Mismatch", "The body is not the one that was signed.")
    failure = sigv4.header_signature_failure(
        signature,
        resolve_key(key, request.session_token).secret_access_key,
        request.method,
        request.raw_path,
        request.query,
        request.headers,
        body,
        presigned=presigned,
    )
    return Refusal(*failure) if failure else None


def _refusal_of_version_2(request: Received, key: str) -> Refusal | None:
    """Check a signature of version 2, with which boto3 still presigns addresses of S3."""
    from ministack.core import iam_evaluator

    signed = iam_evaluator.SignedRequest(
        key, request.method, request.raw_path, request.query, request.headers, sigv2=True, auth_path=request.raw_path
    )
    checked = iam_evaluator._sigv2_check(signed, account_of(key))
    return Refusal(checked.code, checked.message) if isinstance(checked, iam_evaluator.AuthError) else None


def _refusal_of_time(request: Received, signature: Any) -> Refusal | None:
    """Refuse an expired address (S3 API Reference, "Authenticating Requests: Query Parameters")."""
    from ministack.core import sigv4

    signed_at, expires = sigv4._amz_datetime(signature.amz_date), request.parameter("X-Amz-Expires")
    if signed_at is None or not (expires.isascii() and expires.isdigit()) or len(expires) > len("604800"):
        return Refusal("AuthorizationQueryParametersError", "X-Amz-Date and X-Amz-Expires must be a time and seconds.")
    age = time.time() - signed_at.timestamp()
    if int(expires) > _MOST_SECONDS_PRESIGNED or age < -_CLOCK_SKEW_SECONDS or age > int(expires):
        return Refusal("AccessDenied", "Request has expired")
    return None
