"""A page where server and client prove to each other that they know the environment's secret."""

from __future__ import annotations

import hmac
import secrets

IDENTITY_PATH = "/_etl/identity"
NONCE_HEADER, PROOF_HEADER = "x-etl-nonce", "x-etl-proof"


def proof(secret: str, side: str, nonce: str) -> str:
    """Prove that a side ("client" or "server") knows the secret, without revealing it."""
    return hmac.new(secret.encode(), f"{side}:{nonce}".encode(), "sha256").hexdigest()


def proves(given: str, secret: str, side: str, nonce: str) -> bool:
    """Whether a proof is right. An empty secret or nonce proves nothing."""
    return bool(secret and nonce) and hmac.compare_digest(given.encode(), proof(secret, side, nonce).encode())


def question(secret: str) -> dict[str, str]:
    """Make the headers of a client's question, with a new nonce."""
    nonce = secrets.token_hex(16)
    return {NONCE_HEADER: nonce, PROOF_HEADER: proof(secret, "client", nonce)}
