"""Fields that share a place on the wire with another: what a document says there, from the permitted ones alone."""

from attrs import evolve

from gateway.model.presence import Activity, Field, PresenceDocument, Texts


def spoken_note(document: PresenceDocument) -> Texts:
    """Gives the note: the person's own, or that of the automatic reply where there is none."""
    texts: Texts = document.get(Field.NOTE) or document.get(Field.OUT_OF_OFFICE) or ()
    return texts


def spoken_activity(document: PresenceDocument) -> Activity | None:
    """Gives the activity, with subject and place of the meeting in its text; each only where the document has it."""
    activity: Activity | None = document.get(Field.ACTIVITY)
    details = [text for name in (Field.MEETING_SUBJECT, Field.MEETING_LOCATION) if (text := document.get(name))]
    if not details:
        return activity
    if activity is None:
        return Activity("undefined", "", ", ".join(details))
    return evolve(activity, text=", ".join([activity.text, *details] if activity.text else details))
