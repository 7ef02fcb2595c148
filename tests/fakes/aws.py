"""AWS behind boto3's own clients: these check arguments, walk through pages and raise errors as they always do."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.session
from botocore.exceptions import EndpointConnectionError
from botocore.loaders import create_loader

from etl.model.names import ETL

# The models of the services are large, and read once for all tests.
_LOADER = create_loader()
Answer = dict[str, Any] | Exception | Callable[..., dict[str, Any]]


def account(quota: int, unreserved: int | None = None) -> dict[str, Any]:
    """Lambda's answer about an account."""
    unreserved = quota if unreserved is None else unreserved
    return {"AccountLimit": {"ConcurrentExecutions": quota, "UnreservedConcurrentExecutions": unreserved}}


def stack(outputs: Mapping[str, str], status: str = "UPDATE_COMPLETE", name: str = ETL.stack) -> dict[str, Any]:
    """CloudFormation's description of a stack."""
    listed = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
    return {"StackName": name, "StackStatus": status, **({"Outputs": listed} if listed else {})}


def stacks(*found: dict[str, Any]) -> Answer:
    """CloudFormation's answers about stacks: one by its name, or all of them, with a page for each."""

    def answer(*, StackName: str = "", NextToken: str = "0") -> dict[str, Any]:  # noqa: N803 - AWS's names
        if StackName:
            named = [each for each in found if each["StackName"] == StackName]
            if not named:
                raise RefusalError("ValidationError", f"Stack with id {StackName} does not exist")
            return {"Stacks": named}
        page, following = int(NextToken), int(NextToken) + 1
        return {
            "Stacks": list(found[page:following]),
            **({"NextToken": str(following)} if following < len(found) else {}),
        }

    return answer


# Lambda's answers about an account without changes.
ROOM: dict[str, Answer] = {"lambda.GetAccountSettings": account(1_000), "lambda.GetFunctionConcurrency": {}}


class RefusalError(Exception):
    """Makes AWS answer with an error."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.parsed = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {}}


class _Session(boto3.Session):
    endpoint: str

    def client(self, *arguments: Any, **options: Any) -> Any:
        make: Any = super().client
        return make(*arguments, endpoint_url=self.endpoint, **options)


class FakeAws:
    """A session whose requests are answered here.

    Attributes:
        session: as the command takes it; no file and no variable of the machine's has a say.
        answers: by service and operation, such as ``dynamodb.DescribeTable``: the response, an error to raise, or a
            function of the request's arguments that returns the one or raises the other.
        calls: services and operations, in the order of the requests.
    """

    def __init__(
        self, answers: dict[str, Answer], region: str | None = "eu-west-1", endpoint: str = "https://aws.example"
    ) -> None:
        nowhere = (None, None, os.devnull, None)
        core = botocore.session.Session(session_vars={"config_file": nowhere, "credentials_file": nowhere})
        core.register_component("data_loader", _LOADER)
        self.session = _Session("AKIDEXAMPLE", "secret", region_name=region, botocore_session=core)
        self.session.endpoint = endpoint
        self.answers = answers
        self.calls: list[str] = []
        handlers: dict[str, Any] = {"before-parameter-build": self._remember, "before-call": self._answer}
        for event, handler in handlers.items():
            core.register(event, handler)

    @staticmethod
    def _remember(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["arguments"] = dict(params)

    def _answer(self, event_name: str, context: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        operation = event_name.removeprefix("before-call.")
        self.calls.append(operation)
        answer = self.answers[operation]
        try:
            if isinstance(answer, Exception):
                raise answer
            parsed = answer if isinstance(answer, dict) else answer(**context["arguments"])
        except RefusalError as refusal:
            return SimpleNamespace(status_code=400), refusal.parsed
        return SimpleNamespace(status_code=200), {"ResponseMetadata": {}} | parsed


def unreachable(url: str = "https://aws.example") -> Exception:
    """boto3's error when nobody answers."""
    return EndpointConnectionError(endpoint_url=url)
