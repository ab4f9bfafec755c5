"""Ad-hoc commands: what is filled in, and the steps that are written (XEP-0050)."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.model.form import ACCESS, Filled, Form, FormField
from gateway.protocols.xmpp.stanzas import namespaces as ns
from gateway.protocols.xmpp.stanzas.commands import LONGEST_VALUE, MOST_FIELDS, read_command, write_command

from .parsing import parse as element

FORM = Form(
    ACCESS,
    "s1",
    "Access <&>",
    "Choose",
    (FormField("contact", "Contact", "bob", (("bob", "Bob & co"), ("eve", "Eve"))), FormField("until", "Until")),
)


def command(inside: str = "", **attributes: str) -> Filled:
    shown = "".join(f" {name}='{value}'" for name, value in attributes.items())
    return read_command(element(f"<command xmlns='{ns.COMMANDS}' node='access'{shown}>{inside}</command>"))


def filled(*fields: tuple[str, str]) -> str:
    inside = "".join(f"<field var='{name}'><value>{value}</value></field>" for name, value in fields)
    return f"<x xmlns='{ns.FORMS}' type='submit'>{inside}</x>"


def test_beginning_has_no_values_and_giving_up_is_told() -> None:
    assert command() == Filled("access")
    assert command(action="execute") == Filled("access")
    assert command(action="cancel", sessionid="s1") == Filled("access", "s1", True)


def test_what_is_filled_in_is_read() -> None:
    assert command(filled(("contact", "bob"), ("level", "team")), sessionid="s1", action="complete") == Filled(
        "access", "s1", False, {"contact": "bob", "level": "team"}
    )


def test_what_is_too_much_or_too_long_is_left_out() -> None:
    many = command(filled(*((f"f{number}", "x" * (LONGEST_VALUE + 1)) for number in range(MOST_FIELDS + 5)))).values
    assert many is not None and len(many) == MOST_FIELDS
    assert {len(value) for value in many.values()} == {LONGEST_VALUE}


def test_a_step_is_a_form_and_the_end_is_a_note() -> None:
    step = element(write_command(FORM))
    form = step.child("x", ns.FORMS)
    assert (step.get("status"), step.get("sessionid")) == ("executing", "s1") and form is not None
    assert [each.get("type") for each in form.elements() if each.name == "field"] == ["list-single", "text-single"]
    done = element(write_command(Form(ACCESS, "s1", note="Saved <now>", done=True)))
    note = done.child("note")
    assert done.get("status") == "completed" and done.child("x", ns.FORMS) is None
    assert note is not None and (note.get("type"), note.text) == ("info", "Saved <now>")


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20
)


@given(texts, texts, st.lists(st.tuples(texts, texts), max_size=4))
def test_any_text_stays_text(title: str, label: str, choices: list[tuple[str, str]]) -> None:
    form = Form(ACCESS, "s1", title, title, (FormField("f", label, "", tuple(choices)),), title)
    written = element(write_command(form))
    shown = written.child("x", ns.FORMS)
    assert shown is not None
    heading, asked = shown.child("title"), shown.child("field")
    assert heading is not None and heading.text == title
    assert asked is not None and asked.get("label") == label
    options = [
        (value.text, each.get("label"))
        for each in asked.elements()
        if each.name == "option"
        for value in each.elements()
    ]
    assert options == choices
