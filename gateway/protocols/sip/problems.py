"""What SIP statuses and the model's problems mean to each other (RFC 7247 section 7)."""

from collections.abc import Mapping
from typing import Final

from gateway.model.envelope import Problem

_STATUS: Final[Mapping[Problem, int]] = {
    Problem.BAD_REQUEST: 400,
    Problem.CONFLICT: 400,
    Problem.FEATURE_NOT_IMPLEMENTED: 501,
    Problem.FORBIDDEN: 403,
    Problem.GONE: 410,
    Problem.INTERNAL_SERVER_ERROR: 500,
    Problem.ITEM_NOT_FOUND: 404,
    Problem.JID_MALFORMED: 400,
    Problem.NOT_ACCEPTABLE: 406,
    Problem.NOT_ALLOWED: 403,
    Problem.NOT_AUTHORIZED: 403,
    Problem.POLICY_VIOLATION: 403,
    Problem.RECIPIENT_UNAVAILABLE: 480,
    Problem.REDIRECT: 480,
    Problem.REGISTRATION_REQUIRED: 403,
    Problem.REMOTE_SERVER_NOT_FOUND: 404,
    Problem.REMOTE_SERVER_TIMEOUT: 504,
    Problem.RESOURCE_CONSTRAINT: 500,
    Problem.SERVICE_UNAVAILABLE: 480,
    Problem.SUBSCRIPTION_REQUIRED: 403,
    Problem.UNDEFINED_CONDITION: 480,
    Problem.UNEXPECTED_REQUEST: 491,
}
"""Deviates from RFC 7247 table 2 where that status would be illegal for a MESSAGE (408: RFC 4320; 401 and 407 need a
challenge) or tell what must not be told: conditions about a person share 480, and the desk answers an outside sender
202 instead."""

_LITERAL: Final[Mapping[Problem, int]] = {
    **_STATUS,
    Problem.FORBIDDEN: 603,
    Problem.ITEM_NOT_FOUND: 604,
    Problem.NOT_ACCEPTABLE: 606,
    Problem.NOT_AUTHORIZED: 401,
    Problem.RECIPIENT_UNAVAILABLE: 600,
    Problem.REDIRECT: 302,
    Problem.REGISTRATION_REQUIRED: 407,
    Problem.SERVICE_UNAVAILABLE: 403,
    Problem.SUBSCRIPTION_REQUIRED: 400,
    Problem.UNDEFINED_CONDITION: 400,
}
"""RFC 7247 table 2 to the letter, its rows for bare addresses, which are all that a Request-URI names here. One row is
left out: 408 never answers anything but an INVITE (RFC 4320), so that of remote-server-timeout stays 504."""

_PROBLEMS: Final[Mapping[int, Problem]] = {
    300: Problem.REDIRECT,
    301: Problem.GONE,
    302: Problem.REDIRECT,
    305: Problem.REDIRECT,
    380: Problem.NOT_ACCEPTABLE,
    401: Problem.NOT_AUTHORIZED,
    403: Problem.FORBIDDEN,
    404: Problem.ITEM_NOT_FOUND,
    405: Problem.FEATURE_NOT_IMPLEMENTED,
    406: Problem.NOT_ACCEPTABLE,
    407: Problem.REGISTRATION_REQUIRED,
    408: Problem.REMOTE_SERVER_TIMEOUT,
    410: Problem.GONE,
    413: Problem.POLICY_VIOLATION,
    414: Problem.POLICY_VIOLATION,
    415: Problem.NOT_ACCEPTABLE,
    416: Problem.NOT_ACCEPTABLE,
    420: Problem.FEATURE_NOT_IMPLEMENTED,
    421: Problem.NOT_ACCEPTABLE,
    423: Problem.RESOURCE_CONSTRAINT,
    430: Problem.RECIPIENT_UNAVAILABLE,
    439: Problem.FEATURE_NOT_IMPLEMENTED,
    440: Problem.POLICY_VIOLATION,
    480: Problem.RECIPIENT_UNAVAILABLE,
    481: Problem.ITEM_NOT_FOUND,
    482: Problem.NOT_ACCEPTABLE,
    483: Problem.NOT_ACCEPTABLE,
    484: Problem.ITEM_NOT_FOUND,
    485: Problem.ITEM_NOT_FOUND,
    486: Problem.RECIPIENT_UNAVAILABLE,
    487: Problem.RECIPIENT_UNAVAILABLE,
    488: Problem.NOT_ACCEPTABLE,
    489: Problem.POLICY_VIOLATION,
    491: Problem.UNEXPECTED_REQUEST,
    493: Problem.BAD_REQUEST,
    500: Problem.INTERNAL_SERVER_ERROR,
    501: Problem.FEATURE_NOT_IMPLEMENTED,
    502: Problem.REMOTE_SERVER_NOT_FOUND,
    503: Problem.INTERNAL_SERVER_ERROR,
    504: Problem.REMOTE_SERVER_TIMEOUT,
    505: Problem.NOT_ACCEPTABLE,
    513: Problem.POLICY_VIOLATION,
    600: Problem.RECIPIENT_UNAVAILABLE,
    603: Problem.RECIPIENT_UNAVAILABLE,
    604: Problem.ITEM_NOT_FOUND,
    606: Problem.NOT_ACCEPTABLE,
}
"""RFC 7247 table 3."""

_CLASSES: Final = {3: Problem.REDIRECT, 4: Problem.BAD_REQUEST, 5: Problem.INTERNAL_SERVER_ERROR}


def status_of(problem: Problem, *, literal: bool = False) -> int:
    """Gives the status with which a MESSAGE or INVITE is refused; `literal` is for who wants RFC 7247 to the letter."""
    return (_LITERAL if literal else _STATUS)[problem]


def problem_of(status: int) -> Problem:
    """Gives what a final status other than 2xx says; 0 stands for no answer at all."""
    if status == 0:
        return Problem.REMOTE_SERVER_TIMEOUT
    return _PROBLEMS.get(status) or _CLASSES.get(status // 100, Problem.RECIPIENT_UNAVAILABLE)
