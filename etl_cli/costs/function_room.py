"""How many of a stage's workers Lambda runs at once: by the account's quota, and by what is reserved for a function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etl_cli.terminal.words import count

# The permissions to read it.
SEEN_BY = ("lambda:GetAccountSettings", "lambda:GetFunctionConcurrency")
FUNCTIONS = ("etl-extract", "etl-transform", "etl-load")


@dataclass(frozen=True, kw_only=True)
class Room:
    """Places for functions at work. Source: Lambda Developer Guide, "Understanding Lambda function scaling".

    Attributes:
        quota: of the account in this region, for all of its functions.
        unreserved: of these, what is left for functions without a reservation.
        reserved: by function, for those of the pipeline that have a reservation.
    """

    quota: int
    unreserved: int
    reserved: Mapping[str, int]

    def of(self, function: str) -> int:
        """How many invocations of a function run at once at most."""
        return self.reserved.get(function, self.unreserved)

    @property
    def tightest(self) -> str:
        """The function that has the fewest places."""
        return min(FUNCTIONS, key=self.of)

    @property
    def least(self) -> int:
        """Its places."""
        return self.of(self.tightest)

    @property
    def barred(self) -> str:
        """The function that can't run at all, in words; empty if all can."""
        return f"{self.tightest} can't run: no executions are reserved for it" if self.least == 0 else ""

    @property
    def why(self) -> str:
        """Why there are no more, in words."""
        if self.tightest in self.reserved:
            return f"{count(self.least, 'execution')} at once reserved for {self.tightest}"
        taken = self.quota - self.unreserved
        others = f", of which {taken:,} are reserved for other functions" if taken else ""
        return f"the account's quota is {count(self.quota, 'concurrent execution')}{others}"


def read_room(client: Any) -> Room:
    """Ask Lambda, which costs nothing.

    Args:
        client: boto3's, of Lambda.
    """
    limits = client.get_account_settings()["AccountLimit"]
    found = {name: client.get_function_concurrency(FunctionName=name) for name in FUNCTIONS}
    key = "ReservedConcurrentExecutions"
    return Room(
        quota=limits["ConcurrentExecutions"],
        unreserved=limits["UnreservedConcurrentExecutions"],
        reserved={name: each[key] for name, each in found.items() if key in each},
    )
