"""The clients of tables in other accounts and regions."""

import os
from typing import TYPE_CHECKING, NamedTuple

from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    Credentials,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError
from botocore.session import Session, get_session

from etl.aws.clients import dynamodb_client, sts_creator
from etl.model.table_access import TableAccess

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Reached(NamedTuple):
    """A way to a table.

    Attributes:
        session: the source of the credentials; None for the session that was given, or boto3's default session.
        client: a client of DynamoDB with those credentials, in the table's region.
    """

    session: Session | None
    client: "DynamoDBClient"


def reach(access: TableAccess, client: "DynamoDBClient", session: Session | None = None) -> Reached:
    """The way to a table: the function's own client, unless the table asks for another.

    No request is made yet: the first one that needs credentials assumes the role.

    Args:
        access: the table, and the role that may use it.
        client: a client with the function's own credentials, in its own region.
        session: the source of those credentials; boto3's default session if None.
    """
    region = access.region
    if access.role is not None:
        session = _session_of(access.role, access.external_id)
    elif region is None or region == client.meta.region_name:
        return Reached(session, client)
    return Reached(session, dynamodb_client(session, region))


def _session_of(role: str, external_id: str | None) -> Session:
    """A session with the credentials of a role, which are renewed before they end.

    They live an hour, the longest time for a role that a role assumes (IAM User Guide, "Role chaining"); botocore
    renews them 15 minutes before that. A signature takes the credentials of its moment, so a run goes on.
    """
    own = get_session()
    credentials = own.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    # The name of the caller in CloudTrail of the role's account.
    arguments = {"RoleSessionName": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "etl-pipeline")}
    if external_id is not None:
        arguments["ExternalId"] = external_id
    fetcher = AssumeRoleCredentialFetcher(sts_creator(own), credentials, role, arguments)
    session = get_session()
    session.register_component("credential_provider", CredentialResolver([_AssumedRole(fetcher)]))
    return session


class _AssumedRole(CredentialProvider):
    """Gives a session the credentials of a role; the base class names its method in error messages."""

    METHOD = "assume-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> Credentials:
        """The credentials; they are fetched when a request is signed."""
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)
