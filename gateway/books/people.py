"""What the daemon knows of our own people beside presence: their groups, what directories say, their own word."""

import time
from typing import Any

from gateway import plugin
from gateway.books.directories import Directories
from gateway.books.pairs import Rules
from gateway.config import Config
from gateway.federation.neighbours import rules_of
from gateway.house import House
from gateway.interfaces import Directory, Surroundings
from gateway.offices.choices import recall
from gateway.policy.walls import Groups
from gateway.store.publications import OwnWords


class People:
    """Looks after our people for a daemon."""

    def __init__(self, config: Config, words: OwnWords) -> None:
        self._config = config
        self.words = words
        self._open: list[Directory] = []
        self._directories: Directories | None = None

    def rules(self, config: Config) -> Rules:
        """Gives the policy that a configuration describes, with what is known of people."""
        self._config = config
        return self.rules_under(config)

    def rules_under(self, config: Config) -> Rules:
        """Gives the policy that a configuration would describe if it were in force."""
        rules = rules_of(config, lambda person: self._groups(config, person))
        rules.settings, rules.own_settings = config.settings, self.words.settings
        return rules

    def groups(self, person: str) -> Groups:
        """Gives the groups of a person by [groups] and all directories; None while one of these has not answered."""
        return self._groups(self._config, person)

    def _groups(self, config: Config, person: str) -> Groups:
        named: Groups = config.groups.of(person)
        if self._directories is None or named is None:
            return named
        found = self._directories.groups(person)
        return None if found is None else named | found

    def move_in(self, house: House, surroundings: Surroundings) -> None:
        """Opens the directories that the configuration names, and publishes what people have published before."""
        for section in self._config.directories:
            self._open.append(plugin.load("directories", section.KIND)(surroundings, section))

        def say(person: str, name: str, origin: Any, values: Any) -> None:
            house.presence.say(person, name, origin, values, whole=True)

        def regrouped(person: str) -> None:
            house.facts_changed(house.pairs.of_person(person))

        if self._open:
            self._directories = Directories(self._open, say, regrouped, surroundings.metrics, time.time)
            house.pairs.on_meeting = self._directories.meet
            house.pairs.on_parting = self._directories.forget
            house.on_directory_change = self._directories.changed
        recall(house.presence, list(self.words.all_published()))

    async def start(self) -> None:
        """Gets the directories ready; raises GatewayError."""
        for directory in self._open:
            await directory.start()

    async def stop(self) -> None:
        """Lets the directories go."""
        for directory in self._open:
            await directory.stop()

    def tick(self) -> None:
        """Asks the directories again what is due; once a second."""
        if self._directories is not None:
            self._directories.tick()
