"""HTTP into the namespace."""

import http.client
from urllib.parse import urlsplit

from .namespace import Namespace


def request(
    namespace: Namespace, method: str, url: str, body: bytes | None = None, timeout: float = 5.0
) -> tuple[int, str]:
    """Status and text of the answer; `timeout` in seconds; raises OSError."""
    parts = urlsplit(url)
    if parts.hostname is None:
        raise ValueError(f"no host in {url}")
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80)
    connection.sock = namespace.connect(parts.hostname, parts.port or 80, timeout)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path or "/", body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()
