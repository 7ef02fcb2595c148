"""All settings of a pipeline, each declared once: type, bounds, default, and a sentence.

Those of the functions are in a module of their own, so that no function imports the others. Everything else follows
from the declaration: the check and its message, the functions' variables, the table in README.md, and ``etl settings``.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from etl.model.function_settings import ReadByExtract, ReadByLoad, ReadByTransform
from etl.model.setting import declared, number, percent, says
from etl.model.table_access import DESTINATION, SOURCE, Existing, Key, Table

DAILY = "cron(0 2 * * ? *)"
"""The schedule of a pipeline whose setting ``schedule`` isn't set."""

_Email = Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s.]+\Z")]
# Source: CloudWatch Logs API reference, PutRetentionPolicy.
_LogRetention = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]


# A bucket's name may have 63 characters (S3 user guide, "General purpose bucket naming rules"). "-staging-", an account
# and a region of up to 15 take 37, a pipeline's name 15, and the hyphen before the stage 1.
_Stage = Annotated[str, Meta(pattern=r"^[a-z0-9]{1,8}\Z")]


@dataclass(frozen=True, kw_only=True)
class ReadByApp:
    """Settings of the whole app: they are the same for all of its pipelines, so no ``pipeline.toml`` has them."""

    pipelines: Annotated[
        str,
        says(
            "The folder that has a folder for each pipeline, with your code.",
            "a folder in the checkout that has a folder with transformation.py for each pipeline",
        ),
    ] = "pipelines"
    stage: Annotated[
        _Stage | None,
        says(
            "A part of all names, such as `dev`, so that an account has room for more stages.",
            "1 to 8 lower-case letters and digits",
        ),
    ] = None
    lambda_platform: Annotated[
        Literal["function", "host"], says("The platform of the functions' packages; the local environment sets `host`.")
    ] = "function"


@dataclass(frozen=True, kw_only=True)
class ReadByStack:
    """Settings of the stack's resources, which no function reads."""

    schedule: Annotated[
        str | None,
        says(
            "When runs start, in UTC, such as `rate(6 hours)` or `cron(0 4 * * ? *)`; without it at 02:00 every day.",
            "rate(1 hour), rate(NUMBER minutes, hours or days) or cron(MINUTE HOUR DAY MONTH WEEKDAY YEAR), in UTC, "
            "with ? for either DAY or WEEKDAY, such as cron(30 4 * * ? *)",
        ),
    ] = None
    schedule_enabled: Annotated[
        bool, says("Whether the rule starts runs, by the schedule and by events.", "true or false")
    ] = True
    source_table: Annotated[
        Table | None,
        says(
            "The table to read, by its name or ARN; without it the stack makes one.",
            "the name of a table that exists, or its ARN",
        ),
    ] = None
    source_kms_key_arn: Annotated[
        Key | None,
        says("The key in KMS that encrypts `source_table`, if you manage that key.", "the ARN of a key, not an alias"),
    ] = None
    destination_table: Annotated[
        Table | None,
        says(
            "The table to write, by its name or ARN; without it the stack makes one.",
            "the name of a table that exists, or its ARN",
        ),
    ] = None
    destination_kms_key_arn: Annotated[
        Key | None,
        says(
            "The key in KMS that encrypts `destination_table`, if you manage that key.",
            "the ARN of a key, not an alias",
        ),
    ] = None
    memory_mb: Annotated[
        int,
        number(
            "MB",
            512,
            10240,
            "The memory of each function. Up to 1769 MB it also brings more CPU.",
            "new accounts may be limited to 3008",
        ),
    ] = 512
    removal_policy: Annotated[
        Literal["destroy", "retain"],
        says("Whether `cdk destroy` deletes the bucket and the tables with all their data."),
    ] = "destroy"
    log_retention_days: Annotated[_LogRetention, says("How long logs are kept.")] = 30
    alarm_email: Annotated[_Email | None, says("The address that gets the alarms.", "an e-mail address")] = None
    late_hours: Annotated[
        int, number("hours", 1, 8784, "The age of the watermark above which an alarm says that data is late.")
    ] = 26
    reject_alarm_percent: Annotated[float, percent("The share of rejected items above which there is an alarm.")] = 1
    architecture: Annotated[Literal["x86_64", "arm64"], says("The processor of the functions.")] = "x86_64"


@dataclass(frozen=True, kw_only=True)
class Settings(ReadByLoad, ReadByTransform, ReadByExtract, ReadByStack, ReadByApp):
    """All settings. The defaults are the specification's values."""

    @property
    def source(self) -> Existing:
        """The settings of the table to read."""
        return Existing(
            SOURCE, self.source_table, self.source_kms_key_arn, self.source_role_arn, self.source_role_external_id
        )

    @property
    def destination(self) -> Existing:
        """The settings of the table to write."""
        return Existing(
            DESTINATION,
            self.destination_table,
            self.destination_kms_key_arn,
            self.destination_role_arn,
            self.destination_role_external_id,
        )


SETTINGS = declared(Settings)
"""All settings by name, in the order of README.md."""

OF_APP = declared(ReadByApp)
"""The settings that all pipelines share."""
