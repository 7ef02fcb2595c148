"""The Lambda function of stages, with its role and its log group."""

from dataclasses import asdict

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from etl.model.stages import STAGES
from etl.model.statuses import INVOCATION_LIMIT
from etl.settings import environment
from etl.staging.keys import seal_key
from serverless_app.constructs.log_group import log_group
from serverless_app.constructs.storage import Storage
from serverless_app.constructs.variables_size import check_size
from serverless_app.settings import PipelineSettings

# Any of these terms in a function's log says that Lambda stopped it for its time or its memory, or that its process
# ended. Since 2026 only the REPORT line has them: "Status: timeout", or "Status: error" and an "Error Type", which an
# exception has too. Before 2026 Lambda wrote separate lines. If Lambda writes both, the stop counts twice.
STOPPED_BY_LAMBDA = (
    *("Status: timeout", "Runtime.OutOfMemory", "Runtime.ExitError"),
    *("Task timed out after", "Runtime exited with error"),
)

_ARCHITECTURES = {"x86_64": lambda_.Architecture.X86_64, "arm64": lambda_.Architecture.ARM_64}


class StageFunction(Construct):
    """A Lambda function that may write its own logs and traces, and nothing else until it is granted more.

    ``extract`` in the table of stages has the construct id ``Extract`` and runs ``etl.extract.handler``.

    Attributes:
        name: its name in the table of stages.
        function: the function itself.
        granted_keys: the patterns of keys in its grants on the staging bucket.

    Args:
        name: its name in the table of stages.
        code: the asset that all functions share.
        storage: the bucket and the tables, whose names its environment has.
        settings: the pipeline's settings.

    Raises:
        SettingsError: its environment would be larger than Lambda allows.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        code: lambda_.Code,
        storage: Storage,
        settings: PipelineSettings,
    ) -> None:
        super().__init__(scope, name.capitalize())
        variables = environment(name, {**asdict(settings), **storage.names})
        function_name = settings.names.function(name)
        check_size(Stack.of(self), function_name, variables, storage.physical_names)
        self.name = name
        self.granted_keys: list[str] = []
        group = log_group(self, settings.names.log_group(name), settings)
        # The role lacks AWSLambdaBasicExecutionRole, which may write to every log group of the account.
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Permissions of {function_name}",
        )
        group.grant_write(role)
        # The log format stays TEXT: the functions write JSON lines, which arrive unchanged. Lambda's JSON format would
        # filter the lines again by its own log level. At DEBUG that level also makes the AWS SDK log requests, with
        # records in them.
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=function_name,
            description="; ".join(f"{each.state}: {each.doing}" for each in STAGES if each.function == name),
            runtime=lambda_.Runtime.PYTHON_3_11,
            # The runtime has the AWS SDK. It changes only with a deployment, never between two.
            runtime_management_mode=lambda_.RuntimeManagementMode.FUNCTION_UPDATE,
            architecture=_ARCHITECTURES[settings.architecture],
            handler=f"etl.{name}.handler",
            code=code,
            memory_size=settings.memory_mb,
            timeout=Duration.seconds(INVOCATION_LIMIT.total_seconds()),
            role=role,
            log_group=group,
            logging_format=lambda_.LoggingFormat.TEXT,
            tracing=lambda_.Tracing.ACTIVE,
            environment=variables,
        )

    def may_read(self, bucket: s3.IBucket, *keys: str, sealed: bool = True) -> None:
        """Grant reading the objects whose keys match, and their seals. ``bucket.grant_read`` would also grant lists."""
        self._grant(["s3:GetObject"], bucket, (*keys, *(map(seal_key, keys) if sealed else ())))

    def may_write(self, bucket: s3.IBucket, *keys: str) -> None:
        """Grant writing and sealing the objects whose keys match. ``bucket.grant_put`` would also grant tags."""
        self._grant(["s3:PutObject", "s3:AbortMultipartUpload"], bucket, keys)
        self._grant(["s3:PutObject"], bucket, tuple(map(seal_key, keys)))

    def may_list_seals(self, bucket: s3.IBucket, *keys: str) -> None:
        """Grant listing the seals of the objects whose keys match."""
        iam.Grant.add_to_principal(
            grantee=self.function,
            actions=["s3:ListBucket"],
            resource_arns=[bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": list(map(seal_key, keys))}},
        )

    def _grant(self, actions: list[str], bucket: s3.IBucket, keys: tuple[str, ...]) -> None:
        self.granted_keys += (key for key in keys if key not in self.granted_keys)
        iam.Grant.add_to_principal(
            grantee=self.function, actions=actions, resource_arns=[bucket.arn_for_objects(key) for key in keys]
        )
