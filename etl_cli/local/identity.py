"""The page on which a server and those who use it prove to each other that they know the environment's secret."""

from __future__ import annotations

import hmac
import secrets

IDENTITY_PATH = "/_etl/identity"
NONCE_HEADER, PROOF_HEADER = "x-etl-nonce", "x-etl-proof"


def proof(secret: str, side: str, nonce: str) -> str:
    """Show that a side ("client" or "server") knows the secret, without telling it."""
    return hmac.new(secret.encode(), f"{side}:{nonce}".encode(), "sha256").hexdigest()


def proves(given: str, secret: str, side: str, nonce: str) -> bool:
    """Whether a proof is right; nobody proves anything with an empty secret or nonce."""
    return bool(secret and nonce) and hmac.compare_digest(given.encode(), proof(secret, side, nonce).encode())


def question(secret: str) -> dict[str, str]:
    """The headers with which a client asks; they are never the same."""
    nonce = secrets.token_hex(16)
    return {NONCE_HEADER: nonce, PROOF_HEADER: proof(secret, "client", nonce)}
