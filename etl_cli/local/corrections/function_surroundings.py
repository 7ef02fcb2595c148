"""Gives a function the packages, the permission to log, and the bucket tags that it has on AWS."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any

from etl_cli.local.corrections.upstream import CorrectionError, Properties, after_deployment

# Packages of AWS's Python runtime (Lambda developer guide, "Runtime-included SDK").
RUNTIME_PACKAGES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")


def keep_bucket_tags() -> None:
    """Let CloudFormation tag a bucket, also with its stack: CDK's auto-delete handler empties only tagged buckets."""
    from ministack.services import s3

    def set_tags(name: str, _: Properties, properties: Properties, stack: str) -> None:
        tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
        s3._bucket_tags[name] = {"aws:cloudformation:stack-name": stack, **tags}

    after_deployment("AWS::S3::Bucket", set_tags)


def isolate_functions() -> None:
    """Let functions import only their zip and the packages of AWS's runtime, not every package of the server."""
    packages = Path(os.environ["TMPDIR"]) / "lambda-packages"
    packages.mkdir(exist_ok=True)
    for name in RUNTIME_PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise CorrectionError(f"the package {name}, which AWS's Python runtime has, is not installed: `make setup`")
        source = Path(spec.origin)
        source = source.parent if source.name == "__init__.py" else source
        link = packages / source.name
        link.unlink(missing_ok=True)
        link.symlink_to(source)
    os.environ["ETL_LAMBDA_PACKAGES"] = str(packages)


def log_as_the_role_may() -> None:
    """Write a function's log only if its role allows that, where policies are enforced: it writes the log on AWS."""
    from ministack.core import iam_evaluator
    from ministack.services import lambda_svc

    emit = lambda_svc._emit_lambda_logs

    def may_log(config: dict[str, Any]) -> bool:
        region, account = config["FunctionArn"].split(":")[3:5]
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        policies = iam_evaluator._gather_role_policies(config["Role"].rpartition("/")[2], account)
        requests = [
            iam_evaluator.EvalContext(
                principal_arn=config["Role"],
                principal_type="AssumedRole",
                principal_account=account,
                action=action,
                resource_arn=f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:any",
                region=region,
            )
            for action in ("logs:CreateLogStream", "logs:PutLogEvents")
        ]
        return all(iam_evaluator.evaluate(each, policies).decision == "Allow" for each in requests)

    def emit_if_allowed(func: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        from ministack.app import AUTH  # can only be imported once the server runs

        if not AUTH or may_log(func.get("config") or func):
            emit(func, *args, **kwargs)

    lambda_svc._emit_lambda_logs = emit_if_allowed
