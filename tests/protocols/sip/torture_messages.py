"""Reads the torture messages of RFC 4475 and RFC 5118 from the files in the folder beside this one."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent / "torture"
SDP = """v=0
o=mhandley 29739 7272939 IN IP4 {0}
s=-
c=IN IP4 {0}
t=0 0
m=audio 49217 RTP/AVP 0 12
m=video 3227 RTP/AVP 31
a=rtpmap:31 LPC"""


def wire(text: str) -> bytes:
    """Turns the text of one message into what is sent."""
    text = re.sub(r"<sdp ([0-9.]+)>", lambda found: SDP.format(found[1]), text)
    text = re.sub(r"<repeat count=(\d+)>(.*?)</repeat>", lambda found: found[2] * int(found[1]), text)
    octets = text.encode().replace(b"\n", b"\r\n")
    return re.sub(rb"<hex>([0-9A-F]+)</hex>", lambda found: bytes.fromhex(found[1].decode()), octets)


def messages(file: str) -> dict[str, bytes]:
    """Gives every message of a file by its name."""
    parts = re.split(r"^=== (\S+)\n", (FOLDER / file).read_text("utf-8"), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], map(wire, parts[1::2]), strict=True))


RFC4475 = messages("rfc4475.txt")
RFC5118 = messages("rfc5118.txt")
