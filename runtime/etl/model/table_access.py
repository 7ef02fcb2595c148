"""The way to a table that the stack didn't make: its name or ARN, its key in KMS, and a role that may use it."""

from collections.abc import Collection
from typing import Annotated, NamedTuple

from msgspec import Meta

from etl.model.setting import SettingsError

SOURCE, DESTINATION = "source", "destination"
"""The two tables of a pipeline, as the beginnings of their settings."""

EXISTING = ("EXISTING_SOURCE", "EXISTING_DESTINATION")
"""The variables that a function has for a table of its own that the stack didn't make: see ``etl.settings``."""

_ARN = "arn:aws[a-z-]*"
# Sources: DynamoDB Developer Guide, "Naming rules"; API references of DynamoDB (TableArn) and of KMS (KeyMetadata); IAM
# User Guide, "IAM and AWS STS quotas"; STS API reference, AssumeRole. A policy can't name a key by its alias: KMS
# Developer Guide, "Key identifiers".
Table = Annotated[str, Meta(pattern=rf"^({_ARN}:dynamodb:[a-z0-9-]+:[0-9]{{12}}:table/)?[A-Za-z0-9_.-]{{3,255}}\Z")]
Key = Annotated[str, Meta(pattern=rf"^{_ARN}:kms:[a-z0-9-]+:[0-9]{{12}}:key/[A-Za-z0-9-]{{1,128}}\Z")]
Role = Annotated[str, Meta(pattern=rf"^{_ARN}:iam::[0-9]{{12}}:role/[A-Za-z0-9_+=,.@/-]{{1,576}}\Z")]
ExternalId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_+=,.@:/-]{2,1224}\Z")]


class Arn(NamedTuple):
    """The parts of an ARN that matter here."""

    partition: str
    region: str
    account: str


def arn_of(text: str) -> Arn | None:
    """The parts of an ARN; None for a name. The settings have checked its shape."""
    if not text.startswith("arn:"):
        return None
    _, partition, _, region, account, _ = text.split(":", 5)
    return Arn(partition, region, account)


class TableAccess(NamedTuple):
    """The way to a table.

    Attributes:
        table: its name, or its ARN: DynamoDB takes either (API reference, TableName and RequestItems).
        role: the role that may use it; None for the caller's own.
        external_id: the external id that the role's owner asks for; None for none.
    """

    table: str
    role: str | None = None
    external_id: str | None = None

    @property
    def region(self) -> str | None:
        """The region in its ARN: DynamoDB answers for a table in the table's own region alone."""
        arn = arn_of(self.table)
        return arn.region if arn else None


class Existing(NamedTuple):
    """The settings of one of the two tables.

    Attributes:
        side: the beginning of their names.
        table: the table's name or ARN; None for a table that the stack makes.
        key: ARN of the table's key in KMS.
        role: ARN of the role that may use the table.
        external_id: the external id for that role.
    """

    side: str
    table: str | None
    key: str | None
    role: str | None
    external_id: str | None

    def check(self, own: Collection[str]) -> None:
        """Check that the settings fit each other.

        Args:
            own: names of the tables that the stack may make.

        Raises:
            SettingsError: they don't; the message names them.
        """
        side = self.side
        if self.external_id and not self.role:
            raise SettingsError(f"{side}_role_external_id is of no use without {side}_role_arn: set both, or neither.")
        if self.table is None:
            for name, value in ((f"{side}_kms_key_arn", self.key), (f"{side}_role_arn", self.role)):
                if value:
                    raise SettingsError(
                        f"{name} is for a table that exists, and without {side}_table the stack makes its own, in its "
                        f"own account: set {side}_table too, or leave out {name}."
                    )
            return
        if self.role is None and self.table.rpartition("/")[2] in own:
            raise SettingsError(
                f"{side}_table must not have the name of a table that the stack itself makes, got {self.table}: leave "
                f"it out to have the stack make that table, or give your table another name."
            )
        if self.role and self.key:
            raise SettingsError(
                f"{side}_kms_key_arn is of no use with {side}_role_arn, since the role uses the key: allow the role "
                f"kms:Decrypt, and leave out {side}_kms_key_arn."
            )
        self._check_arns(self.table)

    def _check_arns(self, table: str) -> None:
        at = arn_of(table)
        for name, text in ((f"{self.side}_kms_key_arn", self.key), (f"{self.side}_role_arn", self.role)):
            other = arn_of(text) if text else None
            if at is None or other is None:
                continue
            if other.partition != at.partition:
                raise SettingsError(f"{name} must be in the partition of {table}, {at.partition}, got {text}.")
            if text == self.role and other.account != at.account:
                raise SettingsError(f"{name} must be in the account of {table}, {at.account}, got {text}.")
            if text == self.key and other.region != at.region:
                raise SettingsError(f"{name} must be in the region of {table}, {at.region}, got {text}.")


def check_tables(source: Existing, destination: Existing, own: Collection[str]) -> None:
    """Check the settings of both tables.

    Args:
        source: those of the table to read.
        destination: those of the table to write.
        own: names of the tables that the stack may make.

    Raises:
        SettingsError: they don't fit each other.
    """
    for each in (source, destination):
        each.check(own)
    if source.table and source.table == destination.table and source.role == destination.role:
        raise SettingsError(
            f"source_table and destination_table must be two tables, got {source.table} for both: the pipeline would "
            "read the items that it wrote."
        )
