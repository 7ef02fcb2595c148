"""The machine that results belong to, in words."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "msgspec",
    "boto3",
    "botocore",
    "awswrangler",
    "aiobotocore",
    "aiodynamo",
    "pydynox",
    "aiohttp",
    "pandas",
)


def describe() -> dict[str, str]:
    """Processor, memory, system, Python and the versions of the packages that were compared."""
    facts = {
        "processor": f"{_first('/proc/cpuinfo', 'model name') or platform.processor() or platform.machine()}",
        "cpus": f"{os.cpu_count()}",
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {sys.version.split()[0]}",
        "load": " ".join(f"{each:.1f}" for each in os.getloadavg()),
    }
    return facts | {name: _version(name) for name in PACKAGES}


def _first(path: str, name: str) -> str:
    file = Path(path)
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def _memory() -> str:
    """Memory in GB, where the system tells it."""
    kilobytes = _first("/proc/meminfo", "MemTotal").removesuffix(" kB")
    return f"{int(kilobytes) * 1024 / 1e9:.0f} GB" if kilobytes else ""


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
