"""Shared by tests of the deployed stack."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from etl_cli.local.clients import Clients
from etl_cli.local.environment import LocalEnvironment
from tests.pipeline.interposer import Relays

ROOT = Path(__file__).resolve().parent.parent
# The transformation of the suite, in place of the user's.
PIPELINES = "tests/fixtures/pipelines"
PIPELINE = f"{PIPELINES}/etl"
# Of an environment's folder: see etl_cli/local/cdk.py.
ASSEMBLY, FINGERPRINT = "cdk.out", "cdk.out.fingerprint"
# For environments whose functions are sent elsewhere: a proxy's requests name its own port of 127.0.0.1.
PROXIED = {"ETL_PROXIED": "1"}
TOOLKIT = "CDKToolkit"


def make_home(folder: Path) -> Path:
    """Make a home folder where the commands of a page deploy the suite's transformation, not the user's.

    It has no AWS settings, and the caches of the real one.
    """
    (folder / ".cache").symlink_to(Path("~/.cache").expanduser())
    (folder / ".cdk.json").write_text(json.dumps({"context": {"etl:pipelines": PIPELINES}}))
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

    @cached_property
    def relays(self) -> Relays:
        """Between the functions and the environment; close them at the end."""
        return Relays(self.environment.variables())


class SharedAssemblies:
    """Deploys the stack into environments; the synthesis for some settings, and the bootstrap, are done once for all.

    The CDK CLI's runner takes an environment's last cloud assembly only if a synthesis would give the same.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the assemblies in a folder, which several processes may share."""
        self._folder = folder

    def deploy(self, environment: LocalEnvironment, context: Mapping[str, str] | None = None) -> dict[str, str]:
        """As `LocalEnvironment.deploy`."""
        context = {"etl:pipelines": PIPELINES} | dict(context or {})
        self._bootstrap(environment.clients())
        settings = json.dumps(sorted(context.items()))
        kept = self._folder / f"assembly-{hashlib.sha256(settings.encode()).hexdigest()[:16]}"
        with kept.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                outputs = environment.deploy(context)
                self._keep_bootstrap(environment.clients())
                kept.mkdir(mode=0o700)  # a copy of it has its mode
                shutil.copytree(environment.state_dir / ASSEMBLY, kept / ASSEMBLY)
                shutil.copy(environment.state_dir / FINGERPRINT, kept)
                return outputs
        shutil.copytree(kept, environment.state_dir, dirs_exist_ok=True)
        return environment.deploy(context)

    @property
    def _toolkit(self) -> Path:
        return self._folder / "bootstrap.json"

    def _bootstrap(self, clients: Clients) -> None:
        """Make the stack of `cdk bootstrap` as an earlier environment has it: the CDK CLI takes three seconds."""
        if self._toolkit.exists() and not clients.has_stack(TOOLKIT):
            clients.cloudformation.create_stack(**json.loads(self._toolkit.read_text()))
            clients.cloudformation.get_waiter("stack_create_complete").wait(
                StackName=TOOLKIT, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
            )

    def _keep_bootstrap(self, clients: Clients) -> None:
        """Keep the stack that `cdk bootstrap` has made."""
        stack: Any = clients.cloudformation.describe_stacks(StackName=TOOLKIT)["Stacks"][0]
        names = ("ParameterKey", "ParameterValue")
        made = {
            "StackName": TOOLKIT,
            "TemplateBody": clients.cloudformation.get_template(StackName=TOOLKIT)["TemplateBody"],
            "Parameters": [{name: each[name] for name in names} for each in stack.get("Parameters", [])],
            "Capabilities": ["CAPABILITY_NAMED_IAM"],
        }
        draft = self._toolkit.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(made, default=str))
        draft.replace(self._toolkit)
