"""What a client answers when it is asked for its password (RFC 2617, MD5), written apart from the gateway's own."""

import re
from hashlib import md5

from .wire import SipMessage, fresh


def answer(got: SipMessage, method: str, uri: str, user: str, password: str) -> tuple[str, str]:
    """The header that answers a 401 or 407."""
    asked = got["www-authenticate" if got.status == 401 else "proxy-authenticate"]
    said = dict(re.findall(r'(\w+)="([^"]*)"', asked))
    cnonce, count = fresh(), "00000001"
    secret = _md5(f"{user}:{said['realm']}:{password}")
    action = _md5(f"{method}:{uri}")
    proof = _md5(f"{secret}:{said['nonce']}:{count}:{cnonce}:auth:{action}")
    value = (
        f'Digest username="{user}", realm="{said["realm"]}", nonce="{said["nonce"]}", uri="{uri}", '
        f'response="{proof}", algorithm=MD5, qop=auth, nc={count}, cnonce="{cnonce}"'
    )
    return "Authorization" if got.status == 401 else "Proxy-Authorization", value


def _md5(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()
