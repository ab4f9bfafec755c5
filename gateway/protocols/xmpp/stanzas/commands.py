"""Ad-hoc commands: a command element to what was filled in, a form to a command element (XEP-0050, XEP-0004)."""

from typing import Final

from gateway.model.form import Filled, Form, FormField
from gateway.protocols.element import Element
from gateway.protocols.ids import clean_id
from gateway.protocols.xml_text import escape_attribute, escape_text
from gateway.protocols.xmpp.stanzas import namespaces as ns
from gateway.protocols.xmpp.stanzas.caps import Disco, Identity

MOST_FIELDS: Final = 20
LONGEST_VALUE: Final = 3100

COMMAND_LIST: Final = Disco(
    (Identity("automation", "command-list"), Identity("client", "bot")), (ns.COMMANDS, ns.DISCO_INFO, ns.PING)
)
"""What a contact says of itself that offers commands (XEP-0050 section 2.1)."""
COMMAND_NODE: Final = Disco((Identity("automation", "command-node"),), (ns.COMMANDS, ns.FORMS))
"""What one command says of itself."""


def read_command(payload: Element) -> Filled:
    """Reads a command element; what is too long or too much is left out, an unknown action begins anew."""
    name, session = clean_id(payload.get("node")), clean_id(payload.get("sessionid"))
    form = payload.child("x", ns.FORMS)
    values = None if form is None else _values(form)
    return Filled(name, session, payload.get("action") in ("cancel", "prev"), values)


def _values(form: Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in form.elements():
        name, value = each.get("var"), each.child("value")
        if each.name == "field" and name and value is not None and len(found) < MOST_FIELDS:
            found[name[:LONGEST_VALUE]] = value.text[:LONGEST_VALUE]
    return found


def write_command(form: Form) -> str:
    """Writes a step as the payload of a result; one that is done has a note and no form."""
    status = "completed" if form.done else "executing"
    start = (
        f"<command xmlns='{ns.COMMANDS}' node='{escape_attribute(form.name)}'"
        f" sessionid='{escape_attribute(form.session)}' status='{status}'>"
    )
    actions = "" if form.done else "<actions execute='complete'><complete/></actions>"
    kind = "error" if form.failed else "info"
    note = f"<note type='{kind}'>{escape_text(form.note)}</note>" if form.note else ""
    return f"{start}{actions}{'' if form.done else _form(form)}{note}</command>"


def _form(form: Form) -> str:
    fields = "".join(map(_field, form.fields))
    return (
        f"<x xmlns='{ns.FORMS}' type='form'><title>{escape_text(form.title)}</title>"
        f"<instructions>{escape_text(form.instructions)}</instructions>{fields}</x>"
    )


def _field(asked: FormField) -> str:
    kind = "list-single" if asked.choices else "text-single"
    options = "".join(
        f"<option label='{escape_attribute(label)}'><value>{escape_text(value)}</value></option>"
        for value, label in asked.choices
    )
    value = f"<value>{escape_text(asked.value)}</value>" if asked.value else ""
    return (
        f"<field var='{escape_attribute(asked.name)}' type='{kind}' label='{escape_attribute(asked.label)}'>"
        f"{value}{options}</field>"
    )
