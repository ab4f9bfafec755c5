"""What the audit calls weak."""

from typing import Any

from tests.audit.__main__ import judged


def scan(**changes: Any) -> dict[str, Any]:
    """Gives the result of a scan in which nothing is weak."""
    suites = {"ssl_2_0": [], "ssl_3_0": [], "tls_1_0": [], "tls_1_1": []}
    good = [{"cipher_suite": {"name": "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"}}]
    found: dict[str, Any] = {f"{name}_cipher_suites": {"accepted_cipher_suites": each} for name, each in suites.items()}
    found |= {f"{name}_cipher_suites": {"accepted_cipher_suites": good} for name in ("tls_1_2", "tls_1_3")}
    found |= {
        "heartbleed": {"is_vulnerable_to_heartbleed": False},
        "openssl_ccs_injection": {"is_vulnerable_to_ccs_injection": False},
        "tls_compression": {"supports_compression": False},
        "session_renegotiation": {"is_vulnerable_to_client_renegotiation_dos": False},
        "robot": {"robot_result": "NOT_VULNERABLE_NO_ORACLE"},
        "tls_1_3_early_data": {"supports_early_data": False},
    }
    return {name: {"result": result} for name, result in (found | changes).items()}


def test_nothing_weak_is_no_finding() -> None:
    assert judged(scan()) == []


def test_each_weakness_is_one_and_what_was_not_looked_at_is_one_too() -> None:
    old = {"accepted_cipher_suites": [{"cipher_suite": {"name": "TLS_RSA_WITH_AES_128_CBC_SHA"}}]}
    assert judged(scan(tls_1_0_cipher_suites=old)) == ["tls_1_0 is accepted"]
    assert judged(scan(tls_1_2_cipher_suites=old)) == ["TLS_RSA_WITH_AES_128_CBC_SHA is accepted"]
    assert judged(scan(heartbleed={"is_vulnerable_to_heartbleed": True})) == ["heartbleed: True"]
    assert len(judged({})) == 8
