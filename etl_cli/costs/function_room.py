"""Lambda's room for the workers of a stage: the account's quota and the functions' reservations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etl.model.names import ETL, Names
from etl.model.stages import FUNCTIONS
from etl_cli.terminal.formats import plural

# The permissions to read it.
SEEN_BY = ("lambda:GetAccountSettings", "lambda:GetFunctionConcurrency")


@dataclass(frozen=True, kw_only=True)
class Room:
    """Concurrent executions of Lambda: of the account in this region, and reserved for the pipeline's functions.

    Source: Lambda Developer Guide, "Understanding Lambda function scaling".
    """

    quota: int
    unreserved: int
    reserved: Mapping[str, int]
    functions: Sequence[str] = tuple(map(ETL.function, FUNCTIONS))

    def of(self, function: str) -> int:
        """The most invocations of a function at once."""
        return self.reserved.get(function, self.unreserved)

    @property
    def tightest(self) -> str:
        """The function with the least room."""
        return min(self.functions, key=self.of)

    @property
    def least(self) -> int:
        """Its room."""
        return self.of(self.tightest)

    @property
    def barred(self) -> str:
        """A sentence on a function that can't run at all; empty if all can."""
        return f"{self.tightest} can't run: its reserved concurrency is 0" if self.least == 0 else ""

    @property
    def why(self) -> str:
        """The reason for the limit, in words."""
        if self.tightest in self.reserved:
            return f"{plural(self.least, 'execution')} at once reserved for {self.tightest}"
        taken = self.quota - self.unreserved
        others = f", and {taken:,} of them are reserved for other functions" if taken else ""
        return f"the account's quota is {plural(self.quota, 'concurrent execution')}{others}"


def read_room(client: Any, names: Names) -> Room:
    """Read the room from Lambda (boto3's client), which is free."""
    functions = tuple(map(names.function, FUNCTIONS))
    limits = client.get_account_settings()["AccountLimit"]
    found = {name: client.get_function_concurrency(FunctionName=name) for name in functions}
    key = "ReservedConcurrentExecutions"
    return Room(
        quota=limits["ConcurrentExecutions"],
        unreserved=limits["UnreservedConcurrentExecutions"],
        reserved={name: each[key] for name, each in found.items() if key in each},
        functions=functions,
    )
