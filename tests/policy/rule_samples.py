"""Rules, levels and entries that the tests of presence rules are made of."""

from collections.abc import Sequence

from hypothesis import strategies as st

from gateway.model.address import Address
from gateway.model.presence import Field
from gateway.model.rule_set import (
    Attribute,
    Grant,
    Identity,
    Many,
    One,
    Rule,
    RuleSet,
    Selection,
    Sphere,
    SubHandling,
    Unknown,
    UserInput,
    Validity,
)
from gateway.policy.access_level import STANDARD, AccessLevel, Assignment, Member, Network
from gateway.policy.members import Circle, Standing
from gateway.policy.rules_meant import Meaning, levels_meant, members_of

NOW = 1_800_000_000.0
ALICE = Address.parse("alice@corp.example")
PEOPLE = tuple(
    Address.parse(text)
    for text in (
        "bob@partner.example",
        "carol@partner.example",
        "dave@ally.example",
        "erin@sub.ally.example",
        "frank@deep.sub.ally.example",
        "eve@stranger.example",
    )
)
NETWORKS = {"partner.example": Network.FEDERATION, "ally.example": Network.ENTERPRISE}


def network_of(domain: str) -> Network:
    """Gives the network of a domain as a configuration would."""
    return NETWORKS.get(domain, Network.PUBLIC_CLOUD)


MEMBERS = tuple(
    Member.parse(text)
    for text in (
        *("bob@partner.example", "carol@partner.example", "erin@sub.ally.example"),
        *("partner.example", "ally.example", "sub.ally.example", "*.ally.example", "*.sub.ally.example"),
        *("federation", "public_cloud", "enterprise", "everyone"),
    )
)
fields = st.frozensets(st.sampled_from(tuple(Field)))
moments = st.sampled_from([NOW - 50.0, NOW + 10.0, NOW + 20.0, NOW + 30.0])


@st.composite
def level_sets(draw: st.DrawFn) -> dict[str, AccessLevel]:
    """The standard levels, and some of an administrator's own."""
    own = draw(st.lists(fields, max_size=3))
    return {**STANDARD, **{f"own{number}": AccessLevel(f"own{number}", each, 50) for number, each in enumerate(own)}}


@st.composite
def entries(draw: st.DrawFn, levels: Sequence[str], owner: str = str(ALICE)) -> tuple[Assignment, ...]:
    """Entries of one owner, one for each member at most."""
    members = draw(st.lists(st.sampled_from(MEMBERS), unique=True, max_size=7))
    ends = st.one_of(st.none(), moments)
    return tuple(Assignment(owner, one, draw(st.sampled_from(levels)), until=draw(ends)) for one in members)


addresses = st.sampled_from(PEOPLE)
domains = st.sampled_from(["partner.example", "ally.example", "sub.ally.example"])
members = st.one_of(
    st.builds(One, st.one_of(st.none(), addresses)),
    st.builds(
        Many,
        st.one_of(st.just(""), domains),
        st.frozensets(addresses, max_size=2),
        st.frozensets(domains, max_size=2),
    ),
)
conditions = st.one_of(
    st.builds(Identity, st.lists(members, max_size=3).map(tuple)),
    st.builds(
        Validity,
        st.lists(st.tuples(moments, moments).map(lambda pair: (min(pair), max(pair))), min_size=1, max_size=2).map(
            tuple
        ),
    ),
    st.builds(Sphere, st.frozensets(st.sampled_from(["work", "home"]))),
    st.just(Unknown("")),
)
words = st.frozensets(st.sampled_from(["work", "mobile", "home", "x"]), max_size=2)
selections = st.builds(
    Selection, st.booleans(), words, words, words, st.frozensets(st.sampled_from(["sip", "tel", "mailto", "im"]))
)
grants = st.builds(
    Grant,
    st.sampled_from(SubHandling),
    selections,
    st.builds(Selection, st.booleans(), words, words),
    st.builds(Selection, st.booleans(), words, words, words),
    st.frozensets(st.sampled_from(Attribute)),
    st.sampled_from(UserInput),
    st.frozensets(
        st.sampled_from(
            [("urn:ietf:params:xml:ns:pidf:cipid", "display-name"), ("jabber:client", "show"), ("urn:x", "y")]
        )
    ),
    st.booleans(),
    st.frozensets(st.sampled_from(tuple(Field)), max_size=3),
)
rules = st.builds(
    Rule, st.sampled_from(["a", "b"]), st.lists(conditions, max_size=3).map(tuple), grants, st.just(0), st.just({})
)
rule_sets = st.lists(rules, max_size=5).map(lambda found: RuleSet(tuple(found)))


def meant(
    found: RuleSet,
    standing: Sequence[Assignment] = (),
    default: str = "blocked",
    levels: dict[str, AccessLevel] | None = None,
) -> Meaning:
    """What rules mean for ALICE at NOW, beside entries that stand."""
    beside = Standing(tuple(standing), levels or dict(STANDARD), default)
    circle = Circle.of({*members_of(found), *(one.member for one in standing)}, network_of)
    return levels_meant(found, ALICE, beside, circle, NOW)
