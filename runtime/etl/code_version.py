"""Which code this is: a run keeps to the code that planned it.

Segments' counts have positions and no names, and ``transform()`` may have become another. A deployment during a run
would mix both unseen.
"""

import hashlib
from functools import cache
from pathlib import Path


@cache
def code_version(folder: Path = Path(__file__).parent) -> str:
    """A digest of the functions' sources, in 16 hexadecimal digits."""
    sha = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        source = path.read_bytes()
        sha.update(f"{path.relative_to(folder).as_posix()}\0{len(source)}\0".encode() + source)
    return sha.hexdigest()[:16]
