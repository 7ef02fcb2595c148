"""The function of one stage, with its role and its log group."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from serverless_app.constructs.log_group import log_group
from serverless_app.settings import PipelineSettings

# Any of these in a function's log says that Lambda stopped it for its time or its memory, or that its process ended.
# Since 2026 only its REPORT line does: "Status: timeout", or "Status: error" and an "Error Type", which exceptions have
# too. Before, lines of their own did. Where both are written, it counts twice.
STOPPED_BY_LAMBDA = (
    *("Status: timeout", "Runtime.OutOfMemory", "Runtime.ExitError"),
    *("Task timed out after", "Runtime exited with error"),
)

_ARCHITECTURES = {"x86_64": lambda_.Architecture.X86_64, "arm64": lambda_.Architecture.ARM_64}


class StageFunction(Construct):
    """A Lambda function that may write its own logs and traces, and nothing else until it is granted more.

    Args:
        stage: name of the module in the package ``etl`` that holds ``handler``, and what the function is called after.
        description: what it does, as the console shows it.
        code: the asset that the three stages share.
        environment: what this stage needs beyond ``LOG_LEVEL`` and ``STORES``.
        stores: names of the bucket and the tables of all stages: a run ends when a deployment changes them meanwhile.
        settings: the pipeline's settings.
    """

    def __init__(  # noqa: PLR0913 - each has its name at the call
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: str,
        description: str,
        code: lambda_.Code,
        environment: Mapping[str, str],
        stores: str,
        settings: PipelineSettings,
    ) -> None:
        super().__init__(scope, construct_id)
        name = f"etl-{stage}"
        group = log_group(self, f"/aws/lambda/{name}", settings)
        # A role without AWSLambdaBasicExecutionRole: that policy writes to every log group of the account.
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What {name} may do",
        )
        group.grant_write(role)
        # The log format stays TEXT: the functions write JSON lines themselves, which arrive as they are. Lambda's
        # JSON format would filter these a second time by its own log level, whose DEBUG also makes the AWS SDK log
        # requests, with records in them.
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=name,
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_11,
            # The AWS SDK is the runtime's, so that it moves with a deployment, and never between two of them.
            runtime_management_mode=lambda_.RuntimeManagementMode.FUNCTION_UPDATE,
            architecture=_ARCHITECTURES[settings.architecture],
            handler=f"etl.{stage}.handler",
            code=code,
            memory_size=settings.memory_mb,
            timeout=Duration.minutes(5),
            role=role,
            log_group=group,
            logging_format=lambda_.LoggingFormat.TEXT,
            tracing=lambda_.Tracing.ACTIVE,
            environment={"LOG_LEVEL": settings.log_level, "STORES": stores, **environment},
        )

    def may_read(self, bucket: s3.IBucket, *keys: str, sealed: bool = True) -> None:
        """Grant reading the objects whose keys match, and their seals; not listing them, as ``bucket.grant_read``."""
        self._grant(["s3:GetObject"], bucket, (*keys, *(_seals(keys) if sealed else ())))

    def may_write(self, bucket: s3.IBucket, *keys: str) -> None:
        """Grant writing and sealing the objects whose keys match; not tags or holds, as ``bucket.grant_put`` does."""
        self._grant(["s3:PutObject", "s3:AbortMultipartUpload"], bucket, keys)
        self._grant(["s3:PutObject"], bucket, _seals(keys))

    def may_list_seals(self, bucket: s3.IBucket, *keys: str) -> None:
        """Grant listing the seals of the objects whose keys match."""
        iam.Grant.add_to_principal(
            grantee=self.function,
            actions=["s3:ListBucket"],
            resource_arns=[bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": list(_seals(keys))}},
        )

    def _grant(self, actions: list[str], bucket: s3.IBucket, keys: tuple[str, ...]) -> None:
        iam.Grant.add_to_principal(
            grantee=self.function, actions=actions, resource_arns=[bucket.arn_for_objects(key) for key in keys]
        )


def _seals(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Where the functions keep the seals of objects. Source: runtime/etl/staging/keys.py."""
    return tuple(f"seals/{key}" for key in keys)
