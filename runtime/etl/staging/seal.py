"""The seal of a staged object: what tells whoever reads it that it is the very object that a stage wrote.

It is written when the object is finished, under a key of its own. S3 compares it with the object at each read, so that
a changed, replaced or restored object is refused before its first byte, at no cost per record.
"""

import msgspec


class Seal(msgspec.Struct, frozen=True):
    """What is known of a finished object.

    Attributes:
        etag: the entity tag that S3 gave it, which follows from its bytes.
        records: how many records it holds.
    """

    etag: str
    records: int
