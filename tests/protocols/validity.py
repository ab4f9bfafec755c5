"""The schemas that the RFCs print, to hold what we write against them."""

from functools import cache
from pathlib import Path

from lxml import etree

FOLDER = Path(__file__).parent / "schemas"


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(FOLDER / "all.xsd"))


@cache
def _receipts() -> etree.RelaxNG:
    return etree.RelaxNG(etree.parse(FOLDER / "imdn.rng"))


def check(body: bytes) -> None:
    """Fails when a document is not valid by its RFC's schema."""
    root = etree.fromstring(body)
    schema = _receipts() if root.tag.startswith("{urn:ietf:params:xml:ns:imdn}") else _schema()
    schema.assertValid(root)
