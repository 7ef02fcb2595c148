"""Environment variables of the server and of its clients."""

from __future__ import annotations

import os
from pathlib import Path

from etl_cli.local.process import HOST, ServerRecord

REGION = "us-east-1"
ACCOUNT = "000000000000"
# Prefix of the names under which a shell that uses a local environment keeps its own variables.
_SAVED = "ETL_BEFORE_"


def server_environment(root: Path, state_dir: Path, port: int, *, strict: bool) -> dict[str, str]:
    """Make the server's whole environment, without the user's own: the functions' processes inherit it."""
    environment = {
        "PATH": _search_path(root, os.environ.get("PATH", os.defpath)),
        "HOME": str(state_dir / "home"),
        "TMPDIR": str(state_dir / "tmp"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",  # as on Lambda
        "PYTHONUNBUFFERED": "1",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "NODE_PATH": str(root / "node_modules"),  # the SDK for CDK's custom resources, which AWS's runtime includes
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "DOCKER_HOST": f"unix://{state_dir / 'tmp' / 'no-docker'}",  # don't touch other emulators' containers
    }
    if strict:
        # The functions trust only this certificate. Without this, ministack adds it to the system's.
        environment |= {"AUTH": "true", "USE_SSL": "1"}
        environment |= dict.fromkeys(("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), certificate(state_dir))
    return environment


def certificate(state_dir: Path) -> str:
    """Return the path of the certificate that a strict server makes for itself; its clients trust it."""
    return str(state_dir / "tmp" / "ministack-tls" / "server.crt")


def client_variables(root: Path, state_dir: Path, record: ServerRecord) -> dict[str, str]:
    """Make the variables with which AWS clients, the AWS CLI and the CDK CLI use the server."""
    no_proxy = [name for name in os.environ.get("NO_PROXY", os.environ.get("no_proxy", "")).split(",") if name]
    no_proxy += [name for name in (HOST, "localhost") if name not in no_proxy]
    variables = {
        "AWS_ENDPOINT_URL": record.endpoint,
        "AWS_ACCESS_KEY_ID": record.key,
        "AWS_SECRET_ACCESS_KEY": record.secret,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "CDK_HOME": str(state_dir / "cdk-home"),  # the CDK CLI remembers accounts by access key
        "CDK_CONTEXT": "etl:lambda_platform=host",  # the functions run on this machine, with this interpreter
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DISABLE_VERSION_CHECK": "true",
        "NO_PROXY": ",".join(no_proxy),
        "no_proxy": ",".join(no_proxy),
        "PATH": _search_path(root, os.environ.get("PATH", os.defpath)),
    }
    if record.strict:
        variables |= dict.fromkeys(("AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"), certificate(state_dir))
    return variables


def unset_variables(variables: dict[str, str]) -> list[str]:
    """List this process's variables that would redirect a client of `variables`."""
    return sorted(name for name in os.environ if name.startswith("AWS_") and name not in variables)


def saved_variables() -> dict[str, str]:
    """Map this process's variables that a local environment changes to the names under which a shell keeps them.

    Empty in a shell that already uses a local environment.
    """
    if _SAVED + "PATH" in os.environ:
        return {}
    changed = {*_client_names(), *unset_variables({})}
    return {name: _SAVED + name for name in sorted(changed & os.environ.keys()) if is_shell_name(name)}


def is_shell_name(name: str) -> bool:
    """Whether a shell can have a variable of this name; a process can have others too."""
    return name.isascii() and name.isidentifier()


def restored_variables() -> dict[str, str | None]:
    """Map variables to the names under which a shell keeps them; None for a variable that it didn't have.

    Empty in a shell that uses no local environment.
    """
    if _SAVED + "PATH" not in os.environ:
        return {}
    kept = {name.removeprefix(_SAVED): name for name in os.environ if name.startswith(_SAVED) and is_shell_name(name)}
    return {name: kept.get(name) for name in sorted({*_client_names(), *kept})}


def _client_names() -> list[str]:
    """List the variables that a local environment may set."""
    strict = ServerRecord(pid=0, port=0, token="", started_at="", strict=True, settings={})
    return list(client_variables(Path(), Path(), strict))


def child_environment(variables: dict[str, str]) -> dict[str, str]:
    """Return this process's environment with the given variables in place of its AWS settings."""
    unset = unset_variables(variables)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SAVED)}
    return {name: value for name, value in kept.items() if name not in unset} | variables


def _search_path(root: Path, path: str) -> str:
    """Put the checkout's own commands first in the search path."""
    own = [str(root / ".venv" / "bin"), str(root / "node_modules" / ".bin")]
    return os.pathsep.join(own + [folder for folder in path.split(os.pathsep) if folder not in own])
