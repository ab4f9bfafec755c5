"""A presence server that does with a document what RFC 5025 section 3.3 says, written from the RFC for the tests."""

from lxml import etree

from gateway.model.rule_set import Attribute, Grant, Selection, SubHandling, UserInput

PIDF = "urn:ietf:params:xml:ns:pidf"
MODEL = "urn:ietf:params:xml:ns:pidf:data-model"
RPID = "urn:ietf:params:xml:ns:pidf:rpid"
_ALWAYS = {(PIDF, "status"), (PIDF, "basic"), (PIDF, "contact"), (PIDF, "timestamp"), (MODEL, "timestamp")}


def filtered(document: str, grant: Grant) -> str:
    """What a watcher with this grant is sent."""
    root = etree.fromstring(document.encode())
    for element in list(root):
        kind = etree.QName(element).localname
        chosen = {"tuple": grant.services, "person": grant.persons, "device": grant.devices}.get(kind)
        if grant.handling is not SubHandling.ALLOW or chosen is None or not _provided(element, chosen):
            root.remove(element)
        else:
            _strip(element, grant)
    return etree.tostring(root, encoding="unicode")


def _provided(element: etree._Element, chosen: Selection) -> bool:
    contact = element.findtext(f"{{{PIDF}}}contact") or ""
    return (
        chosen.everything
        or element.findtext(f"{{{RPID}}}class") in chosen.classes
        or element.get("id") in chosen.ids
        or contact in chosen.uris
        or contact.partition(":")[0] in chosen.schemes
    )


def _strip(element: etree._Element, grant: Grant) -> None:
    for child in list(element):
        name = etree.QName(child)
        pair = (name.namespace, name.localname)
        if pair == (PIDF, "status"):
            _strip(child, grant)
        elif pair == (RPID, "user-input"):
            _user_input(element, child, grant)
        elif pair not in _ALWAYS and not _granted(pair, grant):
            element.remove(child)


def _granted(pair: tuple[str | None, str], grant: Grant) -> bool:
    ns, name = pair
    if grant.all_attributes:
        return True
    if name in {one.value for one in Attribute} and ns in (RPID, PIDF, MODEL):
        return Attribute(name) in grant.attributes
    return pair in grant.unknown


def _user_input(element: etree._Element, child: etree._Element, grant: Grant) -> None:
    most = UserInput.FULL if grant.all_attributes else grant.user_input
    if most is UserInput.NOTHING:
        element.remove(child)
    if most < UserInput.FULL:
        child.attrib.pop("last-input", None)
    if most < UserInput.THRESHOLDS:
        child.attrib.pop("idle-threshold", None)
