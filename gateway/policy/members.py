"""The members that levels are given to, and somebody who stands for each."""

from collections.abc import Callable, Collection, Iterable, Mapping

from attrs import evolve, field, frozen

from gateway.model.address import Address
from gateway.policy.access_level import AccessLevel, Assignment, Member, MemberKind, Network, Resolution, resolve

_ORDER = (MemberKind.EVERYONE, MemberKind.NETWORK, MemberKind.SUBDOMAINS, MemberKind.DOMAIN, MemberKind.CONTACT)
_SOMEBODY = "somebody-else"
_ANYWHERE = "anywhere.invalid"
_BELOW = "any-other"


@frozen
class Circle:
    """Is everybody to whom levels are given: the members, and the network of each domain."""

    members: tuple[Member, ...]
    """The least specific first."""
    network_of: Callable[[str], Network]

    @classmethod
    def of(cls, members: Iterable[Member], network_of: Callable[[str], Network]) -> "Circle":
        """Puts members in their order, each once; everyone is always one of them."""
        everybody = {Member(MemberKind.EVERYONE), *members}
        return cls(tuple(sorted(everybody, key=_specific)), network_of)

    def has_anybody(self, member: Member) -> bool:
        """Says whether somebody is left whom no more specific member means."""
        classes = {one.value for one in self.members if one.kind is MemberKind.NETWORK}
        return member.kind is not MemberKind.EVERYONE or len(classes) < len(Network)

    def standing_for(self, member: Member) -> tuple[tuple[Address, Network], ...]:
        """Gives contacts who stand for a member and for none of the more specific ones, one for each network.

        Where every class of network is a member, nobody is left for everyone: then one of each class stands for it.
        """
        taken = {one.value for one in self.members}
        match member.kind:
            case MemberKind.CONTACT:
                address = Address.parse(member.value)
                return ((address, self.network_of(address.domain)),)
            case MemberKind.DOMAIN:
                return ((_free(member.value, taken), self.network_of(member.value)),)
            case MemberKind.NETWORK:
                return ((_free(_ANYWHERE, taken), Network(member.value)),)
            case MemberKind.SUBDOMAINS:
                return tuple((_free(_below(member.value, taken), taken), network) for network in Network)
        left = [one for one in Network if Member(MemberKind.NETWORK, one.value) not in self.members]
        return tuple((_free(_ANYWHERE, taken), network) for network in left or Network)


def _specific(member: Member) -> tuple[int, int, str]:
    return _ORDER.index(member.kind), len(member.value), member.value


def _free(domain: str, taken: Collection[str]) -> Address:
    """Gives the address of somebody at a domain whom nobody named."""
    name = _SOMEBODY
    while f"{name}@{domain}" in taken:
        name += "-else"
    return Address.of(name, domain)


def _below(domain: str, taken: Collection[str]) -> str:
    name = _BELOW
    while f"{name}.{domain}" in taken:
        name += "-one"
    return f"{name}.{domain}"


@frozen
class Standing:
    """Is what levels are given by, and how the one that counts is found."""

    entries: tuple[Assignment, ...]
    levels: Mapping[str, AccessLevel]
    default: str
    _general: tuple[Assignment, ...] = field(init=False)
    _of_contact: Mapping[str, tuple[Assignment, ...]] = field(init=False)

    @_general.default
    def _without_contacts(self) -> tuple[Assignment, ...]:
        return tuple(one for one in self.entries if one.member.kind is not MemberKind.CONTACT)

    @_of_contact.default
    def _by_contact(self) -> Mapping[str, tuple[Assignment, ...]]:
        found: dict[str, tuple[Assignment, ...]] = {}
        for one in self.entries:
            if one.member.kind is MemberKind.CONTACT:
                found[one.member.value] = (*found.get(one.member.value, ()), one)
        return found

    def found(
        self, people: Iterable[tuple[Address, Network]], now: float, more: Iterable[Assignment] = ()
    ) -> tuple[AccessLevel, ...]:
        """Gives what each of some people sees at `now` (posix seconds), with some entries more.

        A level that an administrator's lock bounds is given with the fields that are left of it.
        """
        more = tuple(more)
        found = (self.resolved(address, network, now, more) for address, network in people)
        return tuple(
            evolve(one.level, fields=one.level.fields & one.bound.fields) if one.bound else one.level for one in found
        )

    def resolved(self, address: Address, network: Network, now: float, more: Iterable[Assignment] = ()) -> Resolution:
        """Gives the level that counts for one contact, and what gives it."""
        entries = (*self._general, *self._of_contact.get(address.bare, ()), *more)
        return resolve(entries, address, network, self.levels, self.default, now)
