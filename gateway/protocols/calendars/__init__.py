"""What a calendar says of a person: iCalendar (RFC 5545) to events, events to fields; CalDAV (RFC 4791) around them."""
