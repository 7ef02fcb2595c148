"""The seal of a staged object: it shows a reader that the object is the one that a stage wrote.

A stage writes it under a key of its own when the object is finished. S3 compares it with the object at each read. So a
changed, replaced or restored object is refused before its first byte, at no cost for each record.
"""

import msgspec


class Seal(msgspec.Struct, frozen=True):
    """The facts about a finished object.

    Attributes:
        etag: the entity tag that S3 gave it, which follows from its bytes.
        records: the number of its records.
    """

    etag: str
    records: int
