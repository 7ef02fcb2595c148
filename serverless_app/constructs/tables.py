"""DynamoDB tables: all of the stack's are on demand, encrypted, and recoverable."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from etl.model.keys import KeyAttributes

_TYPES = {
    "S": dynamodb.AttributeType.STRING,
    "N": dynamodb.AttributeType.NUMBER,
    "B": dynamodb.AttributeType.BINARY,
}


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
