"""The way to each of the two tables, as the stack gives it to the functions: a name or an ARN, and perhaps a role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from etl_cli.aws.deployment import Deployment

Side = Literal["source", "destination"]


@dataclass(frozen=True)
class TableWay:
    """The way to a table.

    Attributes:
        about: source or destination.
        name: its name or ARN.
        exists: whether it is a table that the stack didn't make.
        role: the role that reaches it; empty for the functions' own roles.
        external_id: the external id for that role.
    """

    about: Side
    name: str
    exists: bool = False
    role: str = ""
    external_id: str = ""

    @classmethod
    def of(cls, about: Side, name: str, variables: Mapping[str, str]) -> TableWay:
        """The way by the variables of Extract."""
        prefix = about.upper()
        role, external_id = (variables.get(f"{prefix}_ROLE_{each}", "") for each in ("ARN", "EXTERNAL_ID"))
        return cls(about, name, f"EXISTING_{prefix}" in variables or bool(role), role, external_id)

    @property
    def region(self) -> str:
        """The region of its ARN; empty if it has a name alone."""
        return self._part(3)

    @property
    def account(self) -> str:
        """The account of its ARN; empty if it has a name alone."""
        return self._part(4)

    def _part(self, position: int) -> str:
        return self.name.split(":")[position] if self.name.startswith("arn:") else ""

    def options(self, sts: Any, session_name: str) -> dict[str, str]:
        """The arguments for a client: the region of its ARN, and the credentials of its role.

        Raises:
            ClientError: the role can't be assumed.
        """
        options = {"region_name": self.region} if self.region else {}
        if not self.role:
            return options
        external_id = {"ExternalId": self.external_id} if self.external_id else {}
        found = sts.assume_role(RoleArn=self.role, RoleSessionName=session_name, **external_id)["Credentials"]
        return options | {
            "aws_access_key_id": found["AccessKeyId"],
            "aws_secret_access_key": found["SecretAccessKey"],
            "aws_session_token": found["SessionToken"],
        }


def table_client(deployment: Deployment, about: Side) -> DynamoDBClient:
    """A client of DynamoDB that reaches a table as the functions do.

    Raises:
        ClientError: the table's role can't be assumed.
    """
    name = deployment.source_table if about == "source" else deployment.destination_table
    way = TableWay.of(about, name, deployment.variables)
    options = way.options(deployment.client("sts"), "etl-command") if way.role or way.region else {}
    client: DynamoDBClient = deployment.client("dynamodb", **options)
    return client
