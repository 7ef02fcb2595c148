"""Switch off the CDK's package cache if the home folder isn't writable. Import this module before aws_cdk."""

import os
from pathlib import Path


def cache_is_usable(folder: Path) -> bool:
    """Whether a folder is writable, or can be made."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK)


# Importing aws_cdk fails if the cache is unusable. This is jsii's default folder on Linux; macOS has it at home too.
if "JSII_RUNTIME_PACKAGE_CACHE_ROOT" not in os.environ and not cache_is_usable(
    Path(os.path.expanduser("~/.cache/aws/jsii"))  # noqa: PTH111 - it gives a path even without a home
):
    os.environ["JSII_RUNTIME_PACKAGE_CACHE"] = "disabled"
