"""How the answers read with which people decide about themselves."""

from gateway.commands.operations import (
    ContactListed,
    Effect,
    PublicationListed,
    Published,
    RequestAnswered,
    RequestListed,
)
from gateway.commands.render import columns, moment
from gateway.log import escape


def contacts_list(result: list[ContactListed]) -> str:
    """Shows a person's contacts, one a line."""
    if not result:
        return "nobody outside"
    rows = [
        (
            each["contact"],
            each["level"],
            each["given_by"],
            moment(each["since"]),
            moment(each["until"]),
            "waits for an answer" if each["waits"] else "sees" if each["watches"] else "-",
            f"at most {each['ceiling']}" if each["ceiling"] else "",
        )
        for each in result
    ]
    return columns(rows, ("CONTACT", "LEVEL", "SET BY", "SINCE", "UNTIL", "STATE", "LIMIT"))


def effect(result: Effect) -> str:
    """Shows what a level would mean."""
    rows = [
        ("contact", result["contact"]),
        ("level", f"{result['before']} -> {result['level']}"),
        ("would see", _listed(result["sees"])),
        ("new to him", _listed(result["gains"])),
        ("no longer", _listed(result["loses"])),
    ]
    if result["ceiling"]:
        rows.append(("limit", f"the contract allows {result['ceiling']} at most"))
    return columns(rows)


def requests_list(result: list[RequestListed]) -> str:
    """Shows who waits for an answer, one a line."""
    if not result:
        return "nobody waits for an answer"
    rows = [
        (each["owner"], each["contact"], moment(each["since"]), each["level"], "" if each["verified"] else "unverified")
        for each in result
    ]
    return columns(rows, ("OWNER", "CONTACT", "SINCE", "WOULD HAVE", ""))


def answered(result: RequestAnswered) -> str:
    """Shows how a request was answered."""
    said = "refused"
    if result["accepted"]:
        said = f"accepted at {result['level']}; sees somebody once the person has said yes in a client, too"
    return f"{escape(result['contact'])} for {escape(result['owner'])}: {said}"


def publish_list(result: list[PublicationListed]) -> str:
    """Shows what is published, one field a line."""
    if not result:
        return "nothing is published beside presence"
    rows = [
        (each["field"], each["origin"] or "-", moment(each["since"]), each["switched"], each["withheld_by"] or "-")
        for each in result
    ]
    return columns(rows, ("FIELD", "PUBLISHED BY", "SINCE", "SWITCHED", "KEPT BACK BY"))


def published(result: Published) -> str:
    """Shows who sees what was published or switched."""
    if result["withheld_by"]:
        return f"{result['subject']}: kept back by {escape(result['withheld_by'])}"
    seen = ", ".join(map(escape, result["seen_by"][:20])) or "nobody who watches now"
    return f"{result['subject']}: seen by {seen}"


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "nothing"
