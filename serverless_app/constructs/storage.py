"""The bucket and the tables of the pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, cast

from aws_cdk import Duration, Fn, RemovalPolicy, Stack, Tags
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_s3 as s3

from etl.model.keys import parse_keys
from etl.model.limits import STAGED_DAYS
from etl.model.names import Names
from etl.model.schema import SPECIFIED
from etl.model.table_access import DESTINATION, SOURCE
from serverless_app.constructs.platform_widgets import REQUEST_METRICS
from serverless_app.constructs.run_ledger import RunLedger
from serverless_app.constructs.tables import PipelineTable, existing_table, key_table, own_table
from serverless_app.settings import PipelineSettings

_REMOVAL = {"destroy": RemovalPolicy.DESTROY, "retain": RemovalPolicy.RETAIN}
# The handler of CDK's Custom::S3AutoDeleteObjects empties buckets that have this tag with the value "true".
_EMPTIED_TAG = "aws-cdk:auto-delete-objects"
# CDK gives its own tags the priority 100. Of two tags of one name, the one with the higher priority wins.
_OVER_CDK = 200


@dataclass(frozen=True, kw_only=True)
class Storage:
    """The bucket and the tables of a pipeline.

    Attributes:
        bucket: the bucket between the stages.
        source: the table that is read.
        destination: the table that is written.
        ledger: the run ledger.
    """

    bucket: s3.Bucket
    source: PipelineTable
    destination: PipelineTable
    ledger: RunLedger

    @classmethod
    def make(cls, stack: Stack, settings: PipelineSettings) -> Self:
        """Make the bucket and the tables in a stack."""
        removal_policy, names = _REMOVAL[settings.removal_policy], settings.names
        return cls(
            bucket=_staging_bucket(stack, names, retained=settings.removal_policy == "retain"),
            source=(
                existing_table(stack, "SourceTable", settings.source)
                if settings.source.table
                else own_table(key_table(stack, "SourceTable", names.source_table, SPECIFIED.source, removal_policy))
            ),
            destination=(
                existing_table(stack, "DestinationTable", settings.destination)
                if settings.destination.table
                else own_table(
                    key_table(
                        stack,
                        "DestinationTable",
                        names.destination_table,
                        parse_keys(settings.destination_keys),
                        removal_policy,
                    )
                )
            ),
            ledger=RunLedger(stack, "RunLedger", name=names.ledger_table, removal_policy=removal_policy),
        )

    @property
    def measured_tables(self) -> Mapping[str, dynamodb.ITable]:
        """The tables whose metrics the dashboard can show, by the names that people give them.

        A table in another account has its metrics there.
        """
        tables = {SOURCE: self.source, DESTINATION: self.destination}
        measured = {name: each.table for name, each in tables.items() if each.is_measured}
        return {**measured, "ledger": self.ledger.table}

    @property
    def names(self) -> Mapping[str, str]:
        """The names of bucket and tables, or the ARNs of tables, by the attributes of ``etl.settings``."""
        names = {
            "staging_bucket": self.bucket.bucket_name,
            "source_table": self.source.address,
            "destination_table": self.destination.address,
            "ledger_table": self.ledger.table.table_name,
        }
        sides = {SOURCE: self.source, DESTINATION: self.destination}
        existing = {f"existing_{side}": table.address for side, table in sides.items() if table.existing}
        return {**names, "stores": Fn.join(" ", list(names.values())), **existing}

    @property
    def physical_names(self) -> Mapping[str, str]:
        """The physical names of the bucket and of the stack's own tables, by logical id."""
        stack = Stack.of(self.bucket)
        bucket = cast(s3.CfnBucket, self.bucket.node.default_child)
        own = [each.table for each in (self.source, self.destination) if not each.existing]
        tables = [cast(dynamodb.CfnTable, each.node.default_child) for each in (*own, self.ledger.table)]
        names = {stack.get_logical_id(each): each.table_name or "" for each in tables}
        return {stack.get_logical_id(bucket): bucket.bucket_name or "", **names}


def _staging_bucket(stack: Stack, names: Names, *, retained: bool) -> s3.Bucket:
    """Make the bucket between the stages. `cdk destroy` empties it first, unless it is retained.

    CDK's custom resource that empties the bucket exists either way, and so does its grant. If a deployment removed
    both, CloudFormation would remove the grant first, and the custom resource's handler would fail three times
    (github.com/aws/aws-cdk/issues/14649 and 37257). The handler skips a bucket whose tag isn't "true". The tag stays
    in place: the handler fails on a bucket without any tags.
    """
    bucket = s3.Bucket(
        stack,
        "StagingBucket",
        bucket_name=names.staging_bucket(stack.account, stack.region),
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        metrics=[s3.BucketMetrics(id=REQUEST_METRICS)],
        lifecycle_rules=[
            s3.LifecycleRule(
                id="expire",
                expiration=Duration.days(STAGED_DAYS),
                abort_incomplete_multipart_upload_after=Duration.days(1),
            )
        ],
        removal_policy=RemovalPolicy.DESTROY,
        auto_delete_objects=True,
    )
    if retained:
        # CDK refuses the custom resource if it knows that the bucket is retained.
        resource = cast(s3.CfnBucket, bucket.node.default_child)
        resource.add_override("DeletionPolicy", "Retain")
        resource.add_override("UpdateReplacePolicy", "Retain")
        Tags.of(bucket).add(_EMPTIED_TAG, "false", priority=_OVER_CDK)
    return bucket
