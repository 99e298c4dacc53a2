"""Keys of each kind: what they open, that they come back, and headers that cannot break it."""

from __future__ import annotations

import pytest

from whaletrader.services.exchange.signing.login import request_signature
from whaletrader.services.exchange.wire.answers import WireError
from whaletrader.services.exchange.wire.credentials import (
    BUILDER,
    READ_ONLY,
    ApiKey,
    ApiKeys,
    SignedRequest,
    check_builder,
    check_request,
)

OWNER = "0x" + "aa" * 20
NOW_S = 1_700_000_000


def signed(key: ApiKey, method: str = "GET", **changes: str) -> SignedRequest:
    headers = {
        "poly_address": key.address,
        "poly_api_key": key.key,
        "poly_passphrase": key.passphrase,
        "poly_timestamp": str(NOW_S),
        "poly_signature": request_signature(key.secret, str(NOW_S), method, "/data/orders", b""),
    }
    return SignedRequest(headers | changes, method, "/data/orders", b"")


def test_a_read_only_key_reads_and_nothing_else() -> None:
    keys = ApiKeys("seed")
    key = keys.add(OWNER, READ_ONLY)
    assert check_request(keys, signed(key), NOW_S, 60) == key
    with pytest.raises(WireError, match="Unauthorized"):
        check_request(keys, signed(key, "DELETE"), NOW_S, 60)


def test_a_builder_key_is_no_login() -> None:
    keys = ApiKeys("seed")
    key = keys.add(OWNER, BUILDER)
    with pytest.raises(WireError, match="Unauthorized"):
        check_request(keys, signed(key), NOW_S, 60)
    with pytest.raises(WireError, match="Unauthorized"):
        check_builder(keys, signed(key), NOW_S, 60)


@pytest.mark.parametrize("name", ["poly_signature", "poly_passphrase"])
def test_letters_beyond_ascii_are_refused_and_not_an_error(name: str) -> None:
    keys = ApiKeys("seed")
    key = keys.create(OWNER, 0)
    with pytest.raises(WireError, match="Unauthorized"):
        check_request(keys, signed(key, **{name: "é"}), NOW_S, 60)


def test_all_keys_come_back_after_a_restart_of_the_same_seed() -> None:
    first = ApiKeys("seed")
    made = [first.create(OWNER, 3), first.add(OWNER, READ_ONLY), first.add(OWNER, BUILDER)]
    again = ApiKeys("seed")
    again.load(first.dump())
    assert [again.find_by_id(key.key) for key in made] == made
    assert again.add(OWNER, BUILDER).key not in {key.key for key in made}
