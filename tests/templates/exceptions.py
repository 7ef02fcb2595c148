"""The checks of cfn-lint and checkov that the templates don't follow, each with its reason.

An unused exception fails `make check`.
"""

from typing import NamedTuple


class Excepted(NamedTuple):
    """A check, the type of resource that doesn't follow it, and the reason."""

    check: str
    kind: str
    reason: str


_FUNCTION, _TABLE = "AWS::Lambda::Function", "AWS::DynamoDB::Table"
_REDUNDANT = (
    "CDK makes the resource wait for the role's policies, so that it isn't used before it has its permissions. CDK "
    "also names the role there. The repetition has no effect."
)

LINT = (
    Excepted("W3005", _FUNCTION, _REDUNDANT),
    Excepted("W3005", "AWS::StepFunctions::StateMachine", _REDUNDANT),
)

CHECKOV = (
    Excepted(
        "CKV_AWS_18",
        "AWS::S3::Bucket",
        "Access logs would need a second bucket that outlives this one. CloudTrail's data events show other readers.",
    ),
    Excepted(
        "CKV_AWS_21",
        "AWS::S3::Bucket",
        "Objects are sealed by their ETags, never edited, and expire after 30 days. Old versions would be paid for, "
        "and nothing would read them.",
    ),
    Excepted(
        "CKV_AWS_27",
        "AWS::SQS::Queue",
        "The queue is encrypted by SQS's own key (SqsManagedSseEnabled), which this check doesn't know.",
    ),
    Excepted(
        "CKV_AWS_115",
        _FUNCTION,
        "A reservation takes concurrency away from the account's other functions all day. The workflow's Maps bound "
        "how many workers there are.",
    ),
    Excepted(
        "CKV_AWS_116",
        _FUNCTION,
        "A dead-letter queue is for asynchronous invocations. Step Functions and CloudFormation wait for these "
        "functions, and deal with their failures.",
    ),
    Excepted(
        "CKV_AWS_117",
        _FUNCTION,
        "The functions talk to AWS's own endpoints alone, over TLS and under their roles. A VPC would add endpoints to "
        "pay for, and nothing to protect.",
    ),
    Excepted(
        "CKV_AWS_119",
        _TABLE,
        "A key in KMS would cost a request for every page and batch. DynamoDB encrypts with its own key.",
    ),
    Excepted(
        "CKV_AWS_158",
        "AWS::Logs::LogGroup",
        "Logs hold no item's contents, and CloudWatch encrypts them by its own key.",
    ),
    Excepted(
        "CKV_AWS_173",
        _FUNCTION,
        "The variables are names and numbers, without a secret, and Lambda encrypts them by its own key.",
    ),
)
