"""Does without the CDK's package cache where the home folder can't be written to. Import it before aws_cdk."""

import os
from pathlib import Path


def cache_is_usable(folder: Path) -> bool:
    """Whether a folder can be written to, or made."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK)


# aws_cdk's import fails on an unusable cache. The place is jsii's own default on Linux; on macOS it is in the home too.
if "JSII_RUNTIME_PACKAGE_CACHE_ROOT" not in os.environ and not cache_is_usable(
    Path(os.path.expanduser("~/.cache/aws/jsii"))  # noqa: PTH111 - it gives a path where there is no home, too
):
    os.environ["JSII_RUNTIME_PACKAGE_CACHE"] = "disabled"
