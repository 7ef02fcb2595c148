"""Where the commands look: AWS where anything names it, else this checkout's local environment."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore import exceptions as aws
from botocore.exceptions import ClientError
from typer.testing import CliRunner, Result

from etl_cli.app import app
from etl_cli.aws import place
from etl_cli.aws import shell_settings as aws_settings
from etl_cli.aws.cli_lines import aws as aws_line
from etl_cli.aws.deploy_line import deploy_line, is_local
from etl_cli.aws.error_messages import explained, explained_midway
from etl_cli.aws.place import find_place
from etl_cli.aws.shell_settings import has_aws_settings
from etl_cli.local.environment import Status
from etl_cli.terminal.errors import UserError
from tests.fakes.aws import FakeAws, RefusalError, stacks

LOCAL, ELSEWHERE = "http://127.0.0.1:4566", "https://states.eu-west-1.amazonaws.com"


class _Environment:
    """A local environment in a state."""

    def __init__(self, state: str) -> None:
        self._state = state

    def status(self) -> Status:
        return Status(self._state, Path("/checkout/.etl-local"), LOCAL if self._state == "up" else None)

    def clients(self) -> Any:
        session = boto3.Session("AKIALOCAL", "secret", region_name="us-east-1")
        return type("Clients", (), {"session": session, "options": {"endpoint_url": LOCAL}})


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A shell without any AWS setting, in a home folder of its own, beside a local environment that is up."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    set_state(monkeypatch, "up")
    return tmp_path


def set_state(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    for module in (place, aws_settings):
        monkeypatch.setattr(module, "LocalEnvironment", lambda _: _Environment(state))


def etl(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def aws_file(home: Path, name: str, text: str) -> None:
    (home / ".aws").mkdir(exist_ok=True)
    (home / ".aws" / name).write_text(text)


@pytest.mark.usefixtures("shell")
def test_without_aws_settings_the_local_environment_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    found = find_place()

    printed = capsys.readouterr()
    assert found.session.client("s3", **found.options).meta.endpoint_url == LOCAL
    assert printed.out == ""
    assert printed.err.startswith(f"Using the local environment at {LOCAL}, since there are no AWS settings.")
    assert printed.err.count("\n") == 1
    assert "local env)" in printed.err


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_PAGER"])
def test_any_aws_variable_keeps_it_from_being_used(shell: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    aws_file(shell, "config", "[default]\nregion = eu-west-1\n[profile x]\nregion = eu-west-1\n")
    monkeypatch.setenv(name, "x")

    assert not find_place().options


@pytest.mark.parametrize("file", ["config", "credentials"])
def test_a_file_of_the_aws_cli_keeps_it_from_being_used(shell: Path, file: str) -> None:
    aws_file(shell, file, "")

    assert has_aws_settings()
    with pytest.raises(UserError, match="No region is set"):
        find_place()


def test_a_user_without_a_home_has_no_files_there(shell: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pwd.getpwuid", Mock(side_effect=KeyError))
    monkeypatch.delenv("HOME")
    assert not has_aws_settings()

    monkeypatch.setenv("HOME", str(shell / "file" / "below"))
    (shell / "file").write_text("")
    assert not has_aws_settings()


@pytest.mark.usefixtures("shell")
def test_an_option_keeps_it_from_being_used() -> None:
    assert not find_place(region="eu-west-1").options
    with pytest.raises(UserError, match="There is no profile night"):
        find_place("night")


@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize(
    ("state", "says", "start"),
    [
        ("down", "the local environment is down", "local start"),
        ("died", "the local environment ended without being stopped", "local start"),
        ("unresponsive", "the local environment runs, but doesn't answer", "local reset"),
    ],
)
def test_without_settings_and_environment_both_ways_out_are_told(
    monkeypatch: pytest.MonkeyPatch, state: str, says: str, start: str
) -> None:
    set_state(monkeypatch, state)

    with pytest.raises(UserError, match=says) as raised:
        find_place()

    assert "--profile" in raised.value.remedy
    assert raised.value.remedy_lines[0].endswith(start)
    document = json.loads(etl("doctor", "--json").stdout)
    assert [(each["about"], each["level"]) for each in document["findings"]] == [("settings", "problem")]
    assert start in document["findings"][0]["command"]


def test_the_region_is_the_options_then_aws_region_then_boto3s(shell: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aws_file(shell, "config", "[default]\nregion = sa-east-1\n")
    assert find_place().session.region_name == "sa-east-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    assert find_place().session.region_name == "us-west-2"
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert find_place().session.region_name == "eu-west-1"
    assert find_place(region="ap-south-1").session.region_name == "ap-south-1"


def test_aws_lines_name_a_region_that_version_1_would_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert aws_line("s3", "ls") == "aws s3 ls --region eu-west-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert aws_line("s3", "ls") == "aws s3 ls"


def test_a_missing_region_names_where_one_was_looked_for(shell: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aws_file(shell, "config", "[profile night]\n")
    monkeypatch.setenv("AWS_PROFILE", "night")

    with pytest.raises(UserError) as raised:
        find_place()

    for looked in ("--region", "AWS_REGION", "AWS_DEFAULT_REGION", "profile night in ~/.aws/config"):
        assert looked in raised.value.message
    assert raised.value.remedy.startswith("The local environment is up; to use it: eval ")
    set_state(monkeypatch, "down")
    with pytest.raises(UserError) as raised:
        find_place()
    assert raised.value.remedy == "Give --region NAME, or set AWS_REGION."


def test_without_a_stack_on_aws_a_running_environment_is_named(shell: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aws_file(shell, "credentials", "[default]\n")
    made = FakeAws({"cloudformation.DescribeStacks": stacks()}, endpoint=ELSEWHERE)
    made.answers["sts.GetCallerIdentity"] = {"Account": "1", "Arn": "arn:aws:iam::1:user/a"}
    nothing = RefusalError("ResourceNotFoundException")
    made.answers |= {"dynamodb.DescribeTable": nothing, "s3.HeadBucket": nothing}
    made.answers["cloudwatch-logs.DescribeLogGroups"] = {"logGroups": []}
    monkeypatch.setattr(boto3, "Session", lambda **_: made.session)

    error = etl("runs").exception
    finding = json.loads(etl("doctor", "--json").stdout)["findings"][-1]

    assert isinstance(error, UserError)
    assert error.remedy.startswith("The local environment is up; to use it: eval ")
    assert error.remedy.endswith("Deploy it: cdk deploy EtlPipelineStack")
    assert finding["remedy"].startswith("The local environment is up; to use it: eval ")
    assert finding["command"] == "cdk deploy EtlPipelineStack"


def test_a_profile_that_is_not_there_is_told_with_those_that_are(shell: Path) -> None:
    aws_file(shell, "config", "[profile night]\nregion = eu-west-1\n[profile day]\n")

    with pytest.raises(UserError) as raised:
        find_place("nihgt")

    assert "There is no profile nihgt in ~/.aws/config" in raised.value.message
    assert "night, day" in raised.value.remedy


def refused(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks")


SSO: Any = aws.UnauthorizedSSOTokenError
LOGIN: Any = aws.LoginRefreshRequired
SSL: Any = aws.SSLError
PROXY: Any = aws.ProxyConnectionError


@pytest.mark.usefixtures("shell")
@pytest.mark.parametrize(
    ("error", "says", "helps"),
    [
        (aws.NoCredentialsError(), "There are no credentials: looked at AWS_ACCESS_KEY_ID, profile night", "--profile"),
        (
            aws.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
            "AWS_SECRET_ACCESS_KEY",
            "Set the missing one",
        ),
        (SSO(), "Profile night is not logged in", "aws sso login --profile night"),
        (LOGIN(), "Profile night is not logged in", "aws login --profile night"),
        (aws.InvalidRegionError(region_name="eu west"), "'eu west'", "--region"),
        (aws.ConfigParseError(path="~/.aws/config"), "~/.aws/config", "Correct profile night"),
        (refused("ExpiredToken"), "credentials of profile night have expired", "Renew"),
        (refused("InvalidClientTokenId"), "does not accept the credentials of profile night", "Correct"),
        (refused("AccessDenied", "perform: cloudformation:DescribeStacks"), "A permission", "Allow "),
        (refused("AccessDenied"), "A permission", "Allow DescribeStacks to"),
        (refused("Throttling"), "slow down", "Try again in a minute"),
        (refused("InternalFailure"), "InternalFailure", "Health Dashboard"),
        (aws.EndpointConnectionError(endpoint_url=ELSEWHERE), "AWS does not answer", "region's name"),
        (SSL(endpoint_url=ELSEWHERE, error="no"), "AWS does not answer", "AWS_CA_BUNDLE"),
        (PROXY(proxy_url="http://proxy"), "AWS does not answer", "HTTPS_PROXY"),
    ],
)
def test_each_reason_has_a_remedy_of_its_own(error: Exception, says: str, helps: str) -> None:
    found = explained(error, "night", ELSEWHERE)

    assert says in found.message
    assert helps in "\n".join([found.remedy, *found.remedy_lines])


@pytest.mark.usefixtures("shell")
def test_the_shell_s_keys_are_named_as_the_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")

    assert "the shell's AWS_ACCESS_KEY_ID" in explained(refused("ExpiredToken")).message


@pytest.mark.parametrize(
    ("own", "error", "says", "helps"),
    [
        ("down", aws.EndpointConnectionError(endpoint_url=LOCAL), "does not answer at http", "local start"),
        ("died", aws.EndpointConnectionError(endpoint_url=LOCAL), "does not answer at http", "local deploy"),
        ("unresponsive", aws.ReadTimeoutError(endpoint_url=LOCAL), "does not answer at http", "local reset"),
        ("up", refused("UnrecognizedClientException"), "does not know the shell's access key", "local env)"),
        ("up", refused("InternalFailure"), "refused a request", "server.log"),
    ],
)
@pytest.mark.usefixtures("shell")
def test_variables_of_a_local_environment_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, own: str, error: Exception, says: str, helps: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", LOCAL)
    set_state(monkeypatch, own)
    found = explained(error, None, LOCAL)

    assert says in found.message
    assert helps in "\n".join([found.remedy, *found.remedy_lines])


@pytest.mark.usefixtures("shell")
def test_variables_of_another_port_lead_to_the_one_that_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    found = explained(aws.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"))

    assert LOCAL in found.remedy
    assert [line.endswith('local env)"') for line in found.remedy_lines] == [True]


@pytest.mark.usefixtures("shell")
def test_work_ends_with_its_local_environment() -> None:
    error = aws.EndpointConnectionError(endpoint_url=LOCAL)
    midway: Callable[[str], UserError] = lambda endpoint: explained_midway(error, endpoint, "It goes on.", ["again"])  # noqa: E731

    assert "goes on" not in str(midway(LOCAL))
    assert str(midway(ELSEWHERE)).endswith("It goes on.\n  again")


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        (LOCAL, True),
        ("https://localhost:4566", True),
        ("http://[::1]:4566", True),
        ("http://127.1.2.3", True),
        (ELSEWHERE, False),
        ("http://10.0.0.7:4566", False),
        ("http://localhost.example.org", False),
        ("https://127.0.0.1.example", False),
        ("", False),
    ],
)
def test_what_is_deployed_is_deployed_where_the_endpoint_is(endpoint: str, local: bool) -> None:
    line = deploy_line(endpoint, settings=["concurrency=80"])

    assert is_local(endpoint) is local
    assert line.endswith(
        "etl local deploy -c etl:concurrency=80" if local else "EtlPipelineStack -c etl:concurrency=80"
    )
    assert line.startswith("cdk ") is not local
