"""What tests of the deployed stack share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from etl_cli.emulator.clients import Clients
from etl_cli.emulator.environment import LocalEnvironment

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Deployed:
    """A local environment with the stack deployed into it.

    Attributes:
        environment: started; do not stop it.
        clients: typed boto3 clients of it.
        outputs: the stack's outputs, by OutputKey.
    """

    environment: LocalEnvironment
    clients: Clients
    outputs: dict[str, str]

    @property
    def source_table(self) -> str:
        return self.outputs["SourceTableName"]

    @property
    def destination_table(self) -> str:
        return self.outputs["DestinationTableName"]

    @property
    def staging_bucket(self) -> str:
        return self.outputs["StagingBucketName"]

    @property
    def state_machine_arn(self) -> str:
        return self.outputs["StateMachineArn"]
