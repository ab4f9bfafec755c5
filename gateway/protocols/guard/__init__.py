"""The output guard: reads written bytes again, with another parser, against what one contact may see.

It shares nothing with the writers but the names of fields: its tables say for every element, attribute and text which
field stands there. What has no row is refused. Whether a text is the right one it cannot know; whether it may be there
at all it can.
"""
