"""Documents of presence rules, made of what a test is about."""

_SPACES = (
    "xmlns='urn:ietf:params:xml:ns:common-policy' xmlns:pr='urn:ietf:params:xml:ns:pres-rules' "
    "xmlns:gw='urn:example:gateway:rules' xmlns:x='urn:x'"
)
ALL = (
    "<pr:provide-services><pr:all-services/></pr:provide-services>"
    "<pr:provide-persons><pr:all-persons/></pr:provide-persons>"
    "<pr:provide-all-attributes/>"
)
BOB = "<identity><one id='sip:bob@partner.example'/></identity>"


def rule(conditions: str = BOB, transformations: str = ALL, handling: str = "allow", name: str = "r") -> str:
    """One rule, in five lines."""
    action = f"<pr:sub-handling>{handling}</pr:sub-handling>" if handling else ""
    return (
        f"<rule id='{name}'>\n<conditions>{conditions}</conditions>\n<actions>{action}</actions>\n"
        f"<transformations>{transformations}</transformations>\n</rule>\n"
    )


def ruleset(*rules: str) -> bytes:
    """A document; its first rule begins in line 2."""
    return f"<ruleset {_SPACES}>\n{''.join(rules)}</ruleset>".encode()
