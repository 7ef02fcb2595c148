"""DynamoDB tables: the stack's own, all on demand, encrypted, and recoverable; and those that exist already."""

from dataclasses import dataclass

from aws_cdk import RemovalPolicy, Stack, Token
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from etl.model.keys import KeyAttributes
from etl.model.table_access import Existing, arn_of

_TYPES = {
    "S": dynamodb.AttributeType.STRING,
    "N": dynamodb.AttributeType.NUMBER,
    "B": dynamodb.AttributeType.BINARY,
}
_DESCRIBE = "dynamodb:DescribeTable"


def key_table(
    scope: Construct, construct_id: str, name: str, key: KeyAttributes, removal_policy: RemovalPolicy
) -> dynamodb.Table:
    """Make a table.

    DynamoDB's own key encrypts the table. A key in KMS would cost a request for every page and batch that the pipeline
    moves, and every function would need a grant on it.

    Args:
        scope: the construct that the table belongs to.
        construct_id: its id there.
        name: the table's name.
        key: the partition key, and the sort key if there is one.
        removal_policy: what happens to the table when the stack is destroyed.
    """
    partition, *sort = (dynamodb.Attribute(name=each.name, type=_TYPES[each.type]) for each in key)
    return dynamodb.Table(
        scope,
        construct_id,
        table_name=name,
        partition_key=partition,
        sort_key=sort[0] if sort else None,
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.DEFAULT,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        removal_policy=removal_policy,
    )


@dataclass(frozen=True)
class PipelineTable:
    """The table that a pipeline reads, or the one that it writes.

    Attributes:
        table: the table, made by the stack or only named by it.
        address: the name or the ARN with which programs call it.
        existing: its settings, if the stack only names it; None if the stack makes it.
    """

    table: dynamodb.ITable
    address: str
    existing: Existing | None = None

    @property
    def is_measured(self) -> bool:
        """Whether CloudWatch has its metrics in the stack's own account and region, for all that is known here."""
        if self.existing is None:
            return True
        stack, arn = Stack.of(self.table), arn_of(self.existing.table or "")
        elsewhere = arn and (_differs(arn.account, stack.account) or _differs(arn.region, stack.region))
        return self.existing.role is None and not elsewhere

    def grant(self, function: lambda_.Function, *actions: str) -> None:
        """Let a function use the table: by its own role, or by assuming the role that may.

        With a customer managed key, DynamoDB decrypts the table's key in the caller's name, for reads and for writes.
        It does everything else by the grants that it got when the table was made. Source: DynamoDB Developer Guide,
        "DynamoDB encryption at rest usage notes" (the events GenerateDataKey, Decrypt and CreateGrant).
        """
        if self.existing and self.existing.role:
            function.add_to_role_policy(iam.PolicyStatement(actions=["sts:AssumeRole"], resources=[self.existing.role]))
            return
        self.table.grant(function, *actions)
        if self.existing and self.existing.key and set(actions) != {_DESCRIBE}:
            function.add_to_role_policy(
                iam.PolicyStatement(
                    actions=["kms:Decrypt"],
                    resources=[self.existing.key],
                    conditions={"StringEquals": {"kms:ViaService": _dynamodb_of(self.existing.key)}},
                )
            )

    def grant_description(self, function: lambda_.Function) -> None:
        """Let a function read the table's key."""
        self.grant(function, _DESCRIBE)


def own_table(table: dynamodb.Table) -> PipelineTable:
    """A table that the stack makes."""
    return PipelineTable(table, table.table_name)


def existing_table(stack: Stack, construct_id: str, existing: Existing) -> PipelineTable:
    """A table that the stack names, and neither makes, nor changes, nor deletes.

    A name with a role is a table in the role's account: its ARN says so, and DynamoDB takes an ARN for a name.
    """
    address = existing.table or ""
    role = arn_of(existing.role) if existing.role else None
    if role and not arn_of(address):
        address = stack.format_arn(
            partition=role.partition,
            account=role.account,
            service="dynamodb",
            resource="table",
            resource_name=address,
        )
    if role or arn_of(address):
        table = dynamodb.Table.from_table_arn(stack, construct_id, address)
    else:
        table = dynamodb.Table.from_table_name(stack, construct_id, address)
    return PipelineTable(table, address, existing)


def _dynamodb_of(key: str) -> str | list[str]:
    """The names that DynamoDB may have as the caller of a key (KMS Developer Guide, "kms:ViaService").

    In China some services have the domain of their endpoints in such names, and some have not.
    """
    _, partition, _, region, _ = key.split(":", 4)
    name = f"dynamodb.{region}.amazonaws.com"
    return [name, f"{name}.cn"] if partition == "aws-cn" else name


def _differs(part: str, known: str) -> bool:
    """Whether two parts of ARNs differ; the stack may not know its own account and region yet."""
    return not Token.is_unresolved(known) and part != known
