"""Shared by tests of the deployed stack."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from etl_cli.local.clients import Clients
from etl_cli.local.environment import LocalEnvironment

ROOT = Path(__file__).resolve().parent.parent
# The transformation of the suite, in place of the user's.
PIPELINE = "tests/fixtures/pipeline"
# Of an environment's folder: see etl_cli/local/cdk.py.
ASSEMBLY, FINGERPRINT = "cdk.out", "cdk.out.fingerprint"
# For environments whose functions are sent elsewhere: a proxy's requests name its own port of 127.0.0.1.
PROXIED = {"ETL_PROXIED": "1"}


def make_home(folder: Path) -> Path:
    """Make a home folder where the commands of a page deploy the suite's transformation, not the user's.

    It has no AWS settings, and the caches of the real one.
    """
    (folder / ".cache").symlink_to(Path("~/.cache").expanduser())
    (folder / ".cdk.json").write_text(json.dumps({"context": {"etl:pipeline": PIPELINE}}))
    return folder


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


class SharedAssemblies:
    """Deploys the stack into environments, and synthesizes it once for all that have the same settings.

    The CDK CLI's runner takes an environment's last cloud assembly only if a synthesis would give the same.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the assemblies in a folder, which several processes may share."""
        self._folder = folder

    def deploy(self, environment: LocalEnvironment, context: Mapping[str, str] | None = None) -> dict[str, str]:
        """As `LocalEnvironment.deploy`."""
        context = {"etl:pipeline": PIPELINE} | dict(context or {})
        settings = json.dumps(sorted(context.items()))
        kept = self._folder / f"assembly-{hashlib.sha256(settings.encode()).hexdigest()[:16]}"
        with kept.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                outputs = environment.deploy(context)
                kept.mkdir(mode=0o700)  # a copy of it has its mode
                shutil.copytree(environment.state_dir / ASSEMBLY, kept / ASSEMBLY)
                shutil.copy(environment.state_dir / FINGERPRINT, kept)
                return outputs
        shutil.copytree(kept, environment.state_dir, dirs_exist_ok=True)
        return environment.deploy(context)
