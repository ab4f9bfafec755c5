"""Stanzas read again before they leave (RFC 6121, XEP-0163, 0054, 0292, 0012, 0202, 0030)."""

from typing import Final

from gateway.protocols.guard.forms import Forms, cut
from gateway.protocols.guard.shape import (
    FREE,
    KINDS,
    Difference,
    Kind,
    Needed,
    Node,
    Shape,
    check,
    matching,
    one_of,
    parse,
    read_table,
)

_PREFIXES: Final = {
    "": "jabber:server",
    "nick": "http://jabber.org/protocol/nick",
    "idle": "urn:xmpp:idle:1",
    "photo": "vcard-temp:x:update",
    "caps": "http://jabber.org/protocol/caps",
    "states": "http://jabber.org/protocol/chatstates",
    "receipts": "urn:xmpp:receipts",
    "correct": "urn:xmpp:message-correct:0",
    "delay": "urn:xmpp:delay",
    "hop": "urn:example:gateway:hop",
    "disclosure": "urn:example:gateway:disclosure",
    "hint": "urn:xmpp:eme:0",
    "axolotl": "eu.siacs.conversations.axolotl",
    "omemo": "urn:xmpp:omemo:2",
    "pgp": "jabber:x:encrypted",
    "ox": "urn:xmpp:openpgp:0",
    "stanza": "urn:ietf:params:xml:ns:xmpp-stanzas",
    "event": "http://jabber.org/protocol/pubsub#event",
    "pubsub": "http://jabber.org/protocol/pubsub",
    "doing": "http://jabber.org/protocol/activity",
    "mood": "http://jabber.org/protocol/mood",
    "geo": "http://jabber.org/protocol/geoloc",
    "picture": "urn:xmpp:avatar:metadata",
    "octets": "urn:xmpp:avatar:data",
    "temp": "vcard-temp",
    "card": "urn:ietf:params:xml:ns:vcard-4.0",
    "last": "jabber:iq:last",
    "time": "urn:xmpp:time",
    "ping": "urn:xmpp:ping",
    "disco": "http://jabber.org/protocol/disco#info",
    "parts": "http://jabber.org/protocol/disco#items",
}
_ITEM: Final = """
{0}doing:activity
{0}  text #any : activity meeting.subject meeting.location
{0}  undefined : activity meeting.subject meeting.location
{0}    * : activity
{0}  * : activity
{0}    * : activity
{0}mood:mood
{0}  text #any : mood
{0}  * : mood
{0}geo:geoloc
{0}  area #any : location
{0}  building #any : location
{0}  country #any : location
{0}  countrycode #any : location
{0}  description #any : location
{0}  floor #any : location
{0}  locality #any : location
{0}  postalcode #any : location
{0}  region #any : location
{0}  room #any : location
{0}  street #any : location
{0}  text #any : location
{0}nick:nick? #any : display_name
{0}picture:metadata
{0}  info @bytes=number @id=hash @type=media : photo
{0}octets:data? #base64 : photo
"""
_CARD: Final = """
{0}card:vcard
{0}  fn : display_name
{0}    text #any
{0}  email : email
{0}    text #any
{0}  title : title
{0}    text #any
{0}  org : company department
{0}    text? #any : company department
{0}  tel : phone.work phone.mobile phone.home phone.other
{0}    parameters
{0}      type
{0}        text #phone
{0}    text #any
{0}  adr : address.work address.home office
{0}    parameters
{0}      type
{0}        text #address
{0}    pobox
{0}    ext? #any : office
{0}    street? #any : address.work address.home
{0}    locality? #any : address.work address.home
{0}    region? #any : address.work address.home
{0}    code? #any : address.work address.home
{0}    country? #any : address.work address.home
{0}  url : url
{0}    uri #any
{0}  tz : time_zone
{0}    text #any
{0}  photo : photo
{0}    uri #any
"""
_TABLE: Final = f"""
presence[] @from @to @id : availability
  show #show : show
  status @xml:lang=language #any : note out_of_office
  idle:idle @since=since : idle last_active
  photo:x
    photo? #hash : photo
  nick:nick #any : display_name
  caps:c @hash=word @node=ours @ver=base64 : capabilities
presence[unavailable,subscribe,subscribed,unsubscribe,unsubscribed,probe] @from @to @id @type
presence[error] @from @to @id @type
  error @type=word
    stanza:*
    stanza:text @xml:lang=language #any
message[,chat,groupchat,headline] @from @to @id @type
  subject @xml:lang=language #any : may.im
  body @xml:lang=language #any : may.im
  thread #any : may.im
  states:* : may.typing
  receipts:request : may.receipts
  receipts:received @id : may.receipts
  correct:replace @id : may.corrections
  delay:delay @stamp=time : may.im
  hop:gw @id @hops=number
  disclosure:disclosure
  axolotl:encrypted : may.encrypted
    header @sid=number
      key @rid=number @prekey=word #base64
      iv #base64
    payload #base64
  omemo:encrypted : may.encrypted
    header @sid=number
      keys @jid
        key @rid=number @kex=word #base64
    payload #base64
  pgp:x #base64 : may.encrypted
  ox:openpgp #base64 : may.encrypted
  hint:encryption @namespace : may.encrypted
  event:event
    items @node=node
      item @id=item
{_ITEM.format(" " * 8).strip(chr(10))}
message[error] @from @to @id @type
  error @type=word
    stanza:*
    stanza:text @xml:lang=language #any
iq[error] @from @to @id @type
  error @type=word
    stanza:*
    stanza:text @xml:lang=language #any
iq[get] @from @to @id @type
  temp:vCard
  card:vcard
  last:query
  time:time
  ping:ping
  disco:query
  pubsub:pubsub
    items @node=node
      item @id
iq[result] @from @to @id @type
  temp:vCard
    FN #any : display_name
    EMAIL : email
      INTERNET
      USERID #any
    TITLE #any : title
    ORG : company department
      ORGNAME? #any : company
      ORGUNIT #any : department
    TEL : phone.work phone.mobile phone.home phone.other
      WORK : phone.work
      CELL : phone.mobile
      HOME : phone.home
      VOICE : phone.other
      NUMBER #any
    ADR : address.work address.home office
      WORK : address.work office
      HOME : address.home
      EXTADD #any : office
      STREET #any : address.work address.home
      LOCALITY #any : address.work address.home
      REGION #any : address.work address.home
      PCODE #any : address.work address.home
      CTRY #any : address.work address.home
    URL #any : url
    TZ #any : time_zone
    PHOTO : photo
      TYPE #media
      BINVAL #base64
{_CARD.format(" " * 2).strip(chr(10))}
  last:query @seconds=number : last_active
  time:time : time_zone
    tzo #any
    utc #time
  disco:query @node
    identity @category=category @type=client
    feature @var=feature
  parts:query @node
  pubsub:pubsub
    items @node=node
      item @id=item
{_ITEM.format(" " * 8).strip(chr(10))}
{_CARD.format(" " * 8).strip(chr(10))}
"""
_ITEMS: Final = ("doing", "mood", "geo", "nick", "picture", "octets")


def _since(value: str) -> Needed | None:
    """A time of idleness that is no full quarter of an hour tells the exact one."""
    if KINDS["time"](value) is None:
        return None
    return FREE if value[14:16] in ("00", "15", "30", "45") and value[17:19] == "00" else frozenset({"last_active"})


def _feature(value: str) -> Needed | None:
    if value in (_PREFIXES["disco"], _PREFIXES["caps"], _PREFIXES["ping"]):
        return FREE
    return _ABLE if value in _FEATURES else None


_ABLE: Final = frozenset({"capabilities"})
_FEATURES: Final = frozenset({_PREFIXES["states"], _PREFIXES["correct"], _PREFIXES["receipts"]})
_DEVICE: Final = frozenset({"device"})
_KINDS: Final[dict[str, Kind]] = {
    **KINDS,
    "since": _since,
    "feature": _feature,
    "show": one_of(chat="", away="", xa="", dnd=""),
    "media": matching(r"image/[a-z0-9.+-]{1,32}"),
    "ours": matching(r"urn:example:gateway:contact"),
    "node": lambda value: FREE if value in {_PREFIXES[name] for name in _ITEMS} | {"urn:xmpp:vcard4"} else None,
    "item": matching(r"current|[0-9a-f]{40}"),
    "phone": one_of(work="phone.work", cell="phone.mobile", home="phone.home", voice="phone.other"),
    "address": one_of(work="address.work office", home="address.home"),
    "category": one_of(gateway="", server="", account="capabilities", client="capabilities"),
    "client": one_of(
        xmpp="",
        im="",
        registered="",
        pc="",
        **dict.fromkeys(("bot", "console", "game", "handheld", "phone", "sms", "tablet", "web"), "device"),
    ),
}
_TOPS: Final = {
    (f"{{{_PREFIXES['']}}}{name.partition('}')[2].partition('[')[0]}", kind): shape
    for name, shape in read_table(_TABLE, _PREFIXES, _KINDS).items()
    for kind in name.rpartition("[")[2].removesuffix("]").split(",")
}
for _each in _TOPS.values():
    _each.attributes.setdefault("type", KINDS["word"])


_FORMS: Final = Forms()


def check_stanzas(text: str, sender: str, recipient: str, allowed: frozenset[str], forms: Forms = _FORMS) -> None:
    """Raises Difference when stanzas from one address to another hold what the recipient may not see.

    `allowed` names fields, and kinds of traffic as `may.im`; either address may stand as its bare form.
    """
    between, values = cut(text)
    form = between, allowed
    if forms.fits(form, values, sender, recipient):
        return
    root = parse(f"<all xmlns='{_PREFIXES['']}'>{text}</all>".encode("utf-8", "surrogatepass"), "stanza")
    if root.text:
        raise Difference("text between stanzas")
    forms.learn(form, values, [(stanza, _check(stanza, sender, recipient, allowed)) for stanza in root])


def _check(stanza: Node, sender: str, recipient: str, allowed: frozenset[str]) -> Shape:
    shape = _TOPS.get((str(stanza.tag), str(stanza.get("type", ""))))
    if shape is None:
        raise Difference("stanza")
    if stanza.tail:
        raise Difference("text between stanzas")
    for name, address in (("from", sender), ("to", recipient)):
        if stanza.get(name) not in (address, address.partition("/")[0]):
            raise Difference(f"{shape.place}/@{name}")
    check(stanza, shape, allowed)
    return shape
