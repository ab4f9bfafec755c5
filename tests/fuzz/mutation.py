"""Makes a new input of kept ones: bytes cut, doubled, spliced, and words of the formats put in between."""

from random import Random

WORDS = [
    *(
        b"\r\n",
        b"\r\n\r\n",
        b"\x00",
        b";",
        b",",
        b"<",
        b">",
        b"&#x10FFFF;",
        b"]]>",
        b"\xff",
        b"\xed\xa0\x80",
        b"%00",
        b"%",
    ),
    *(
        b"Content-Length: ",
        b"l: 0\r\n",
        b"4294967296",
        b"-1",
        b'"',
        b"\\",
        b"\t",
        b" \r\n ",
        b"@",
        b"[::1]",
        b"sips:",
        b"tel:",
    ),
    *(
        b"=",
        b";tag=",
        b";lr",
        b";gr",
        b"z9hG4bK",
        b"Require: x\r\n",
        b"Expires: 0\r\n",
        b"Event: presence\r\n",
        b"!1\x00",
    ),
    *(
        b"<!DOCTYPE a>",
        b"<!--",
        b"<?x?>",
        b"<![CDATA[",
        b"/>",
        b"</",
        b"xmlns=''",
        b"xml:lang='x'",
        b"\xef\xbb\xbf",
        b"&lt;",
    ),
    *(b"<tuple id='x'>", b"<basic>open</basic>", b"mustUnderstand='1'", b"!=200\x00", b"!s\x00", b"!i\x00", b"!l\x00"),
]
MOST = 20_000
"""Bytes of an input."""


def mutated(by: Random, kept: list[bytes]) -> bytes:
    """Makes one input."""
    octets = bytearray(by.choice(kept) if kept else b"")
    for _ in range(by.choice((1, 1, 2, 3, 6))):
        place = by.randrange(len(octets) + 1)
        end = min(len(octets), place + by.choice((1, 1, 2, 4, 16, 64)))
        match by.randrange(8):
            case 0:
                del octets[place:end]
            case 1:
                octets[place:place] = octets[place:end] * by.choice((1, 2, 40))
            case 2:
                octets[place:end] = bytes(by.randrange(256) for _ in range(end - place))
            case 3 | 4:
                octets[place:place] = by.choice(WORDS)
            case 5:
                octets[place:end] = by.choice(WORDS)
            case 6 if kept:
                other = by.choice(kept)
                cut = by.randrange(len(other) + 1)
                octets[place:] = other[cut:]
            case _:
                if place < len(octets):
                    octets[place] ^= 1 << by.randrange(8)
    return bytes(octets[:MOST])


def smaller(octets: bytes, fails: "object") -> bytes:
    """Cuts pieces out of an input for as long as `fails` still says yes to it."""
    assert callable(fails)
    size = len(octets) // 2
    while size:
        place = 0
        while place < len(octets):
            shorter = octets[:place] + octets[place + size :]
            if fails(shorter):
                octets = shorter
            else:
                place += size
        size //= 2
    return octets
