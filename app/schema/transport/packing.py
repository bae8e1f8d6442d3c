"""Long answers leave compressed, for phones that can read them so.

Only answers of queries: those of mutations may hold tokens, codes and secrets, whose
length under compression could tell them to whoever chooses text beside them (BREACH).
Source: graphql.md section 10, RFC 9110 section 12.5.3.
"""

import zlib
from collections.abc import Sequence

from app.schema.transport.weights import weights_of

ENCODING = "gzip"
_LEAST = 1024  # bytes; below it a packet is a packet
_LEVEL = 1  # the second level costs half as much again and saves a fiftieth
_GZIP_WINDOW = 31  # the widest window, in the gzip wrapper


def accepts(sent: Sequence[str]) -> bool:
    """Tell whether the lines of an Accept-Encoding header take gzip.

    No header is no wish; `*` stands for what is not named, weight 0 excludes.
    """
    weights = weights_of(sent)
    return weights.get(ENCODING, weights.get("*", 0.0)) > 0


def packed(body: bytes, *, packable: bool, sent: Sequence[str]) -> bytes | None:
    """Compress a body; None where it leaves as it is.

    Args:
        body: of the answer.
        packable: whether nothing in it is secret.
        sent: the lines of Accept-Encoding.
    """
    if not packable or len(body) <= _LEAST or not accepts(sent):
        return None
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return packer.compress(body) + packer.flush()
