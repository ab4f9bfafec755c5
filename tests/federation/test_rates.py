"""What a partner may ask of us in a time."""

from attrs import evolve

from gateway.federation.rates import Bucket, Rates
from gateway.model.envelope import Content, Envelope, Side
from gateway.model.message import Message
from gateway.model.subscription import Ask, Subscription
from gateway.policy.partners import Rates as Contract
from tests.stage import ALICE, ALLY, BOB, PARTNER

SLOW = evolve(PARTNER, rates=Contract(2.0, 6.0, 2.0))


def envelope(content: Content) -> Envelope:
    return Envelope(BOB, ALICE, content, Side.EXTERNAL)


def test_a_bucket_gives_its_size_at_once_and_its_rate_for_ever() -> None:
    bucket = Bucket(2.0, 4.0, 0.0)
    assert [bucket.take(0.0) for _ in range(6)] == [True] * 4 + [False] * 2
    assert [bucket.take(1.0) for _ in range(3)] == [True, True, False]
    assert sum(bucket.take(1.0 + step / 10) for step in range(1, 101)) == 20
    assert sum(bucket.take(1e6) for _ in range(9)) == 4, "nothing is saved beyond its size"


def test_subscription_requests_are_bounded_apart_from_messages() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    asked = [rates.allow(SLOW, envelope(Subscription(Ask.SUBSCRIBE))) for _ in range(8)]
    assert asked.count(True) <= 6 and not asked[-1]
    now[0] += 2.0
    assert rates.allow(SLOW, envelope(Message()))


def test_one_partner_does_not_use_up_anothers_and_a_new_contract_starts_anew() -> None:
    rates = Rates(lambda: 0.0)
    while rates.allow(SLOW, envelope(Message())):
        pass
    assert rates.allow(ALLY, envelope(Message())) and not rates.allow(SLOW, envelope(Message()))
    rates.forget()
    assert rates.allow(SLOW, envelope(Message()))


def test_a_clock_that_is_set_back_refuses_nobody() -> None:
    bucket = Bucket(rate=10.0, size=5.0, now=7200.0)
    assert bucket.take(7200.0)
    assert all(bucket.take(0.0) for _ in range(4))
    assert not bucket.take(0.0)
    assert bucket.take(0.2)
