"""Fixtures of the local environment, and a test process without the user's AWS settings."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from etl_cli.local.environment import LocalEnvironment
from tests.support import PROXIED, ROOT, Deployed, SharedAssemblies

# The checkout's commands and Node.js come first, at once: other folders' fixtures start Node.js as they are imported.
os.environ["PATH"] = os.pathsep.join(
    [str(ROOT / ".venv" / "bin"), str(ROOT / "node_modules" / ".bin"), os.environ["PATH"]]
)


def pytest_configure(config: pytest.Config) -> None:
    """Keep the user's AWS settings out of the tests, and let Ctrl-C work."""
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.import_plugin("tests.scheduling")
    # A background job starts with the signal ignored, and passes that on; tests interrupt their children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith(("AWS_", "ETL_"))]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


MakeEnvironment = Callable[..., LocalEnvironment]


@pytest.fixture(scope="session")
def make_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeEnvironment]:
    """Makes local environments of a test's own, not started; all are stopped at the end of the session."""
    made: list[LocalEnvironment] = []

    def make(kind: type[LocalEnvironment] = LocalEnvironment) -> LocalEnvironment:
        made.append(kind(ROOT, tmp_path_factory.mktemp("environment")))
        return made[-1]

    try:
        yield make
    finally:
        with ThreadPoolExecutor() as pool:
            list(pool.map(LocalEnvironment.stop, made))


@pytest.fixture(scope="session")
def assemblies(tmp_path_factory: pytest.TempPathFactory) -> SharedAssemblies:
    """Deploys the stack; all processes of the tests share its synthesized assemblies."""
    own = tmp_path_factory.getbasetemp()
    return SharedAssemblies(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


@pytest.fixture(scope="session")
def local_environment(make_environment: MakeEnvironment) -> LocalEnvironment:
    """The local environment of the session, started; tests share it, and must not stop or reset it."""
    environment = make_environment()
    environment.start()
    return environment


@pytest.fixture(scope="session")
def deployed(make_environment: MakeEnvironment, assemblies: SharedAssemblies) -> Iterator[Deployed]:
    """A local environment with the stack deployed into it by the real CDK CLI; IAM policies are enforced in it.

    Tests share it: they tell their data apart by keys, windows or executions, and leave the stack as it is. A test
    that needs another stack, or destroys it, makes an environment of its own.
    """
    environment = make_environment()
    environment.start(strict=True, settings=PROXIED)
    made = Deployed(environment, environment.clients(), assemblies.deploy(environment))
    with closing(made.relays):
        yield made
