"""What people publish and switch themselves, in memory and on disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor

from gateway.model.presence import Field
from gateway.model.publication import Origin, Publication
from gateway.policy.settings import Feature
from gateway.store.database import Database
from gateway.store.publications import OwnWords

ALICE, CAROL = "alice@corp.example", "carol@corp.example"
NOTE = (("", "back at two"), ("de", "um zwei zurück"))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "gateway.db", reactor)
    yield opened
    pytest_twisted.blockon(opened.close())


@pytest_twisted.ensureDeferred
async def test_what_a_person_says_comes_back_as_it_was(database: Database) -> None:
    words = OwnWords(database)
    await words.publish(ALICE, Field.PHONE_MOBILE, ("+15550100", "+15550101"), 10.0)
    await words.publish(ALICE, Field.NOTE, NOTE, 20.0)
    await words.switch(ALICE, Field.TITLE, False, 30.0)
    await words.switch(ALICE, Feature.TYPING, True, 30.0)
    for again in (words, OwnWords(database)):
        assert again.published(ALICE) == {
            Field.PHONE_MOBILE: Publication(("+15550100", "+15550101"), Origin.PERSON, 10.0),
            Field.NOTE: Publication(NOTE, Origin.PERSON, 20.0),
        }
        assert again.settings(ALICE) == {Field.TITLE: False, Feature.TYPING: True}
        assert again.published(CAROL) == {}
        assert [person for person, _ in again.all_published()] == [ALICE]


@pytest_twisted.ensureDeferred
async def test_what_is_withdrawn_or_left_to_others_is_gone(database: Database) -> None:
    words = OwnWords(database)
    await words.publish(ALICE, Field.NOTE, NOTE, 20.0)
    await words.switch(ALICE, Field.TITLE, False, 30.0)
    await words.publish(ALICE, Field.NOTE, None, 40.0)
    await words.switch(ALICE, Field.TITLE, None, 40.0)
    await words.publish(ALICE, Field.PHONE_HOME, None, 40.0)
    for again in (words, OwnWords(database)):
        assert again.published(ALICE) == {}
        assert again.settings(ALICE) == {}


@pytest_twisted.ensureDeferred
async def test_a_person_is_forgotten_alone(database: Database) -> None:
    words = OwnWords(database)
    for person in (ALICE, CAROL):
        await words.publish(person, Field.NOTE, NOTE, 20.0)
        await words.switch(person, Field.TITLE, False, 30.0)
    await words.forget(ALICE)
    for again in (words, OwnWords(database)):
        assert not (again.published(ALICE) or again.settings(ALICE))
        assert again.published(CAROL) and again.settings(CAROL)
