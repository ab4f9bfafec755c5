"""Containers and publications: levels by name, members in the words of the access levels."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.model.presence import Field
from gateway.policy.access_level import STANDARD, Member, MemberKind, Network
from gateway.protocols.msrtc.containers import (
    CONTAINER_OF,
    LEVELS,
    Container,
    ContainerMember,
    Subscriber,
    read_publish,
    read_roaming_self,
    read_set_container_members,
    write_set_container_members,
)
from gateway.protocols.xml_document import DocumentError
from tests.protocols.documents import NOW

CHANGE = b"""<setContainerMembers xmlns="http://schemas.microsoft.com/2006/09/sip/container-management">
  <container id="100" version="4"><member action="remove" type="user" value="bob@partner.example"/></container>
  <container id="300" version="2"><member action="add" type="user" value="sip:BOB@Partner.Example"/></container>
  <container id="100" version="0"><member action="add" type="federated"/></container>
</setContainerMembers>"""
BOB = ContainerMember("contact", "bob@partner.example")


def test_the_levels_are_those_of_the_policy() -> None:
    assert set(LEVELS.values()) == set(STANDARD)
    assert {CONTAINER_OF[level] for level in STANDARD} == {32000, 100, 200, 300, 400}
    ranks = [STANDARD[LEVELS[number]].rank for number in sorted(LEVELS)]
    assert ranks == sorted(ranks)


def test_the_kinds_of_members_are_those_of_the_policy() -> None:
    body = b"".join(
        b"<member type='%s' value='x.example'/>" % kind
        for kind in (b"user", b"domain", b"sameEnterprise", b"federated", b"publicCloud", b"everyone", b"other")
    )
    (container,) = read_set_container_members(
        b"<setContainerMembers xmlns='http://schemas.microsoft.com/2006/09/sip/container-management'>"
        b"<container id='200' version='1'>%s</container></setContainerMembers>" % body
    )
    assert [Member(MemberKind(one.kind), one.value).kind for one in container.members] == [
        MemberKind.CONTACT,
        MemberKind.DOMAIN,
        MemberKind.NETWORK,
        MemberKind.NETWORK,
        MemberKind.NETWORK,
        MemberKind.EVERYONE,
    ]
    networks = [Network(one.value) for one in container.members if one.kind == "network"]
    assert networks == [Network.ENTERPRISE, Network.FEDERATION, Network.PUBLIC_CLOUD]


def test_a_change_of_level_of_the_reference() -> None:
    first, second, third = read_set_container_members(CHANGE)
    assert first == Container(100, 4, (ContainerMember("contact", "bob@partner.example", added=False),))
    assert second == Container(300, 2, (BOB,))
    assert third.members == (ContainerMember("network", "federation"),)
    assert [one.level for one in (first, second, third)] == ["public", "team", "public"]
    assert Container(2, 0).level == ""


MEMBERS = st.builds(
    ContainerMember,
    st.sampled_from(["contact", "domain"]),
    st.sampled_from(["bob@partner.example", "x'<&"]),
    st.booleans(),
) | st.sampled_from(
    [ContainerMember("everyone"), *(ContainerMember("network", one.value) for one in Network)]
)  # fmt: skip


@settings(deadline=None)
@given(
    st.lists(
        st.builds(Container, st.integers(0, 32767), st.integers(0, 99), st.lists(MEMBERS, max_size=3).map(tuple)),
        max_size=3,
    ).map(tuple)
)
def test_changes_come_back(containers: tuple[Container, ...]) -> None:
    assert read_set_container_members(write_set_container_members(containers)) == containers


def test_roaming_data() -> None:
    found = read_roaming_self(
        b"<roamingData xmlns='http://schemas.microsoft.com/2006/09/sip/roaming-self'>"
        b"<categories xmlns='http://schemas.microsoft.com/2006/09/sip/categories' uri='sip:alice@corp.example'>"
        b"<category name='note' instance='0' publishTime='2024-05-02T07:58:00.003' container='200' version='7'"
        b" expireType='static'><note xmlns='http://schemas.microsoft.com/2006/09/sip/note'><body>hi</body></note>"
        b"</category></categories>"
        b"<containers xmlns='http://schemas.microsoft.com/2006/09/sip/containers'>"
        b"<container id='32000' version='3'><member type='user' value='eve@stranger.example'/></container>"
        b"<container id='0' version='0'><member type='everyone'/></container></containers>"
        b"<subscribers xmlns='http://schemas.microsoft.com/2006/09/sip/presence-subscribers'>"
        b"<subscriber user='bob@partner.example' displayName='Bob' acknowledged='false'/></subscribers></roamingData>",
        NOW,
    )
    blocked, everyone = found.containers
    assert (blocked.level, blocked.members) == ("blocked", (ContainerMember("contact", "eve@stranger.example"),))
    assert (everyone.level, everyone.members) == ("", (ContainerMember("everyone"),))
    assert found.subscribers == (Subscriber("bob@partner.example", "Bob"),)
    (note,) = found.publications
    assert (note.category, note.container, note.version, dict(note.fields)) == (
        "note",
        200,
        7,
        {Field.NOTE: (("", "hi"),)},
    )


PUBLISH = b"""<publish xmlns="http://schemas.microsoft.com/2006/09/sip/rich-presence">
  <publications uri="sip:alice@corp.example">
    <publication categoryName="note" instance="0" container="200" version="7" expireType="static">
      <note xmlns="http://schemas.microsoft.com/2006/09/sip/note"><body type="personal" uri="">Back at 14h</body></note>
    </publication>
    <publication categoryName="note" instance="0" container="100" version="7" expireType="static">
      <note xmlns="http://schemas.microsoft.com/2006/09/sip/note"/>
    </publication>
    <publication categoryName="userProperties" instance="0" container="1" version="0" expires="0">
      <userProperties><lines>tel:+15550199</lines></userProperties>
    </publication>
  </publications>
</publish>"""


def test_publications_of_the_reference() -> None:
    uri, (company, public, private) = read_publish(PUBLISH, NOW)
    assert uri == "sip:alice@corp.example"
    assert (company.container, dict(company.fields)) == (200, {Field.NOTE: (("", "Back at 14h"),)})
    assert (public.container, dict(public.fields), public.expire_type) == (100, {}, "static")
    assert (private.category, dict(private.fields), private.expires) == ("userProperties", {}, 0)
    assert private.expire_type == "endpoint"


READERS = [read_set_container_members, lambda body: read_roaming_self(body, NOW), lambda body: read_publish(body, NOW)]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "body", [b"", b"<a/>", b"<publish xmlns='http://schemas.microsoft.com/2006/09/sip/rich-presence'/>"]
)
def test_what_is_no_such_document_is_refused(reader: object, body: bytes) -> None:
    with pytest.raises(DocumentError):
        reader(body)  # type: ignore[operator]


@settings(deadline=None)
@given(
    st.binary(max_size=60)
    | st.sampled_from(
        [b"<container id='-1'/>", b"<container id='x'><member/></container>", b"<member/>", b"<publication/>"]
    )
)
def test_nothing_but_the_own_error_escapes(noise: bytes) -> None:
    bodies = [
        noise,
        CHANGE.replace(b"<container ", noise + b"<container ", 1),
        PUBLISH.replace(b"<publication ", noise + b"<publication ", 1),
    ]
    for body in (*bodies, b"<roamingData><containers>" + noise + b"</containers></roamingData>"):
        for reader in READERS:
            try:
                reader(body)  # type: ignore[operator]
            except DocumentError as error:
                assert error.reason
