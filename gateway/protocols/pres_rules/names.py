"""Namespaces and words of presence rules."""

from typing import Final

from gateway.protocols.xml_document import DocumentLimits

COMMON_POLICY: Final = "urn:ietf:params:xml:ns:common-policy"
PRES_RULES: Final = "urn:ietf:params:xml:ns:pres-rules"
OWN: Final = "urn:example:gateway:rules"
"""Namespace of what only we say: fields by name, and conditions for a class of network or the domains below one."""

LIMITS: Final = DocumentLimits(octets=2 * 1024 * 1024, elements=60_000, depth=12, declarations=4096)
"""Bounds on one document of rules."""
MOST_RULES: Final = 4_000
"""Rules of one document."""
