"""The cost of a cold start: imports beyond boto3's, and the size of the zip."""

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.environment import CHECKOUT
from etl.invocation.code_version import USER_CODE

_BUNDLE = """
from serverless_app.bundling import bundle
from serverless_app.settings import PipelineSettings
code = "tests/fixtures/pipelines"
print(bundle(PipelineSettings(lambda_platform="host", pipelines=code)))
print(bundle(PipelineSettings(pipelines=code)))
"""
# boto3 comes first: it belongs to the runtime, and costs the same without this project.
_IMPORTS = """
import importlib, json, sys, time
started = time.process_time()
import boto3
clients = [boto3.client(name, region_name="us-east-1") for name in ("dynamodb", "s3")]
middle = time.process_time()
importlib.import_module("etl." + sys.argv[1])
print(json.dumps([(middle - started) * 1000, (time.process_time() - middle) * 1000]))
"""


@dataclass(kw_only=True)
class ColdStart:
    """Milliseconds of CPU for imports by stage, and sizes in bytes.

    Attributes:
        boto3_ms: importing boto3 and making the clients of DynamoDB and S3.
        import_ms: importing each handler after that, from the bundle as it is deployed, with its bytecode.
        source_ms: the same, with a bundle of sources only.
        packages_bytes: the packages in the zip, compressed.
        zip_bytes: the whole zip, compressed.
        problem: why nothing was measured; empty when it was.
    """

    boto3_ms: float = 0.0
    import_ms: dict[str, float] = field(default_factory=dict)
    source_ms: dict[str, float] = field(default_factory=dict)
    packages_bytes: int = 0
    zip_bytes: int = 0
    problem: str = ""


def measure_cold_start(rounds: int) -> ColdStart:
    """Bundle the functions as a deployment does, and import each handler from there ``rounds`` times."""
    python = CHECKOUT / ".venv" / "bin" / "python"
    if not python.exists():
        return ColdStart(problem="left out: no .venv; run `make setup` first")
    done = subprocess.run([python, "-c", _BUNDLE], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return ColdStart(problem=f"the bundle failed: {done.stderr.strip().splitlines()[-1][:160]}")
    here, deployed = (Path(line) for line in done.stdout.splitlines()[-2:])
    result = ColdStart(
        packages_bytes=_zip_bytes(deployed, without=("etl", USER_CODE)),
        zip_bytes=_zip_bytes(deployed),
    )
    with TemporaryDirectory() as scratch:
        sources = Path(scratch) / "bundle"
        shutil.copytree(here, sources, ignore=shutil.ignore_patterns("__pycache__"))
        boto3 = []
        for stage in ("extract", "transform", "load"):
            deployed_runs, source_runs = [], []
            for _ in range(rounds):
                deployed_runs.append(_import(here, stage))
                source_runs.append(_import(sources, stage))
            boto3 += [each[0] for each in deployed_runs + source_runs]
            result.import_ms[stage] = median(each[1] for each in deployed_runs)
            result.source_ms[stage] = median(each[1] for each in source_runs)
        result.boto3_ms = median(boto3)
    return result


def _import(bundle: Path, stage: str) -> list[float]:
    """Milliseconds of boto3, and of the handler's module after it; Lambda's folder can't be written to either."""
    environment = {"PYTHONPATH": str(bundle), "PYTHONDONTWRITEBYTECODE": "1", "AWS_EC2_METADATA_DISABLED": "true"}
    command = [sys.executable, "-c", _IMPORTS, stage]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    times: list[float] = json.loads(done.stdout)
    return times


def _zip_bytes(folder: Path, without: tuple[str, ...] = ()) -> int:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and name.parts[0] not in without:
                archive.write(path, name.as_posix())
    return len(target.getvalue())
