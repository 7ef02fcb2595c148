"""The AWS settings of the shell and of your files, and messages for their faults."""

from __future__ import annotations

import os
from collections.abc import Sequence

from botocore import exceptions as aws

from etl_cli.local.environment import LocalEnvironment, Status
from etl_cli.terminal.errors import UserError
from etl_cli.terminal.paths import ROOT, environment_line
from etl_cli.terminal.printable import shell_words

# boto3 knows the second only; the CDK CLI, version 2 of the AWS CLI and other SDKs prefer the first. Sources:
# AWS SDKs and Tools Reference Guide, "AWS Region"; boto3's guide "Configuration".
REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
# The AWS CLI's files, by the variables that replace them. Source: AWS SDKs and Tools Reference Guide, "Location of the
# shared config and credentials files".
_FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}


def has_aws_settings() -> bool:
    """Whether the shell has a variable of AWS, or you have a file of the AWS CLI.

    Without these boto3 finds no region on any machine.
    """
    # Like botocore: pathlib fails without a home, or if it isn't readable.
    files = (os.path.exists(os.path.expanduser(file)) for file in _files())  # noqa: PTH110, PTH111
    return any(name.startswith("AWS_") for name in os.environ) or any(files)


def missing_region(profile: str | None) -> UserError:
    """A missing region, with the places that can have one."""
    looked = ["--region", *REGION_VARIABLES, f"profile {_in_use(profile)} in {_files()[0]}"]
    return with_local_hint(
        UserError(f"No region is set: looked at {_listed(looked)}.", "Give --region NAME, or set AWS_REGION.")
    )


def whose_credentials(profile: str | None) -> str:
    """The owner of the credentials; the shell's keys win over a profile that no option names."""
    if profile is None and "AWS_ACCESS_KEY_ID" in os.environ:
        return "the shell's AWS_ACCESS_KEY_ID"
    return f"profile {_in_use(profile)}"


def explain_settings(error: Exception, profile: str | None) -> UserError:
    """Explain an error of boto3 before a request: a fault of the settings."""
    name, files, lines = _in_use(profile), " or ".join(_files()), []
    match error:
        case aws.ProfileNotFound():
            return _no_profile(name, files)
        case aws.NoRegionError():
            return missing_region(profile)
        case aws.InvalidRegionError():
            message = str(error)
            remedy = f"Correct --region, {', '.join(REGION_VARIABLES)}, or the profile's: eu-west-1."
        case aws.NoCredentialsError():
            looked = ["AWS_ACCESS_KEY_ID", f"profile {name} in {' and '.join(_files())}", "this machine's own role"]
            message = f"There are no credentials: looked at {_listed(looked)}."
            remedy = "Give another --profile, or make one: aws configure."
        case aws.PartialCredentialsError():
            message, remedy = f"{error}.", "Set the missing one, or unset the others."
        case aws.LoginError() | aws.SSOError() | aws.TokenRetrievalError() | aws.NoAuthTokenError():
            words = ["login"] if isinstance(error, aws.LoginError) else ["sso", "login"]
            message = f"Profile {name} is not logged in: {error}"
            remedy, lines = "Log in, with version 2 of the AWS CLI:", [shell_words("aws", *words, "--profile", name)]
        case _:
            message, remedy = f"The AWS settings can't be used: {error}", f"Correct profile {name} in {files}."
    return UserError(message, remedy, remedy_lines=lines)


def _no_profile(name: str, files: str) -> UserError:
    from botocore.session import Session

    try:
        known = ", ".join(Session().available_profiles)
    except aws.BotoCoreError:
        known = ""
    make = f"No profile is set up. Make this one: {shell_words('aws', 'configure', '--profile', name)}"
    remedy = f"There is {known}: give it with --profile, or set AWS_PROFILE." if known else make
    return UserError(f"There is no profile {name} in {files}.", remedy)


def own_environment() -> Status:
    """The state of this checkout's local environment; down if its folder isn't yours."""
    environment = LocalEnvironment(ROOT)
    try:
        return environment.status()
    except UserError:
        return Status("down", environment.state_dir)


def with_local_hint(error: UserError) -> UserError:
    """A message about AWS, with the way to the local environment if that is up."""
    if not own_environment().is_up:
        return error
    remedy = f"The local environment is up; to use it: {environment_line()}. {error.remedy}"
    return UserError(error.message, remedy, lines=error.lines, remedy_lines=error.remedy_lines)


def _in_use(profile: str | None) -> str:
    """The profile that boto3 uses: the option's, the shell's, or the default."""
    return profile or os.environ.get("AWS_DEFAULT_PROFILE") or os.environ.get("AWS_PROFILE") or "default"


def _files() -> list[str]:
    """The AWS CLI's files, whether or not they exist."""
    return [os.environ.get(variable) or usual for variable, usual in _FILES.items()]


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
