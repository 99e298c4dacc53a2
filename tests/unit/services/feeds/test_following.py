"""Followed wallets: what they did is said once, after its market, whatever was read how often."""

from typing import Any

import pytest

from tests.unit.services.feeds.following_world import (
    MARKET,
    NO,
    NOW_S,
    NS,
    OTHER,
    WALLET,
    YES,
    Follower,
    deed,
)
from whaletrader.runtime.core import Core
from whaletrader.schemas import agent_pb2, follow_pb2, market_pb2, wallet_pb2
from whaletrader.services.feeds.following.agent import STALE_NS, FollowAgent
from whaletrader.services.feeds.following.config import BadRoster, FollowSettings
from whaletrader.services.feeds.following.state import OVERLAP_S
from whaletrader.venues.polymarket.history.rows import Kind


@pytest.fixture
def follower() -> Follower:
    made = Follower()
    made.start()
    return made


def test_a_start_sets_one_rhythm_however_often_it_happens(follower: Follower) -> None:
    follower.start()
    follower.start(WALLET, OTHER)
    assert len(follower.questions(agent_pb2.SetTimer)) == 1
    follower.tick()
    asked: list[Any] = follower.questions(follow_pb2.ReadWallet)
    assert [(one.wallet, one.since_s) for one in asked] == [
        (WALLET, NOW_S - 10_000),
        (OTHER, NOW_S - 10_000),
    ]


def test_who_is_not_on_the_list_any_more_is_not_asked_about(follower: Follower) -> None:
    follower.start(OTHER)
    follower.tick()
    asked: list[Any] = follower.questions(follow_pb2.ReadWallet)
    assert [one.wallet for one in asked] == [OTHER]
    follower.tell(follow_pb2.WalletHeard(wallet=WALLET))
    assert len(follower.questions(follow_pb2.ReadWallet)) == 1


def test_a_deed_waits_for_its_market_and_is_said_after_it(follower: Follower) -> None:
    follower.read(deed(tx_hash="0x1"), deed(tx_hash="0x2", token_id=NO))
    assert follower.said == []
    [asked] = follower.questions(follow_pb2.LookUpMarkets)
    assert list(asked.condition_ids) == [MARKET]  # type: ignore[attr-defined]
    follower.read(deed(NOW_S + 1, tx_hash="0x3"))
    assert len(follower.questions(follow_pb2.LookUpMarkets)) == 1
    follower.find()
    assert follower.topics() == ["market.catalog", *["market.data", "wallet.trades"] * 3]
    trades: list[Any] = follower.heard(wallet_pb2.WalletTraded)
    assert [one.transaction_hash for one in trades] == ["0x1", "0x2", "0x3"]
    assert trades[0].meta.event_time_ns == NOW_S * NS
    assert trades[0].meta.correlation == trades[0].meta.id == trades[0].trade_id


def test_the_listing_knows_the_outcome_where_the_row_does_not(follower: Follower) -> None:
    follower.read(deed(token_id=NO, outcome_index=999))
    follower.find()
    follower.read(deed(NOW_S + 1, token_id=NO, outcome_index=999))
    trades: list[Any] = follower.heard(wallet_pb2.WalletTraded)
    assert [one.outcome_index for one in trades] == [1, 1]


def test_what_is_read_twice_is_said_once(follower: Follower) -> None:
    follower.read(deed())
    follower.find()
    follower.read(deed(), deed(NOW_S + 5))
    follower.read(deed(), deed(NOW_S + 5))
    assert len(follower.heard(wallet_pb2.WalletTraded)) == 2


def test_two_fills_that_are_alike_are_two(follower: Follower) -> None:
    follower.read(deed(), deed())
    follower.find()
    follower.read(deed(), deed(), deed())
    trades: list[Any] = follower.heard(wallet_pb2.WalletTraded)
    assert len({one.trade_id for one in trades}) == len(trades) == 3


def test_the_next_question_overlaps_so_that_a_late_row_is_met(follower: Follower) -> None:
    follower.read(deed())
    follower.find()
    follower.tick()
    last: Any = follower.questions(follow_pb2.ReadWallet)[-1]
    assert last.since_s == NOW_S - OVERLAP_S
    follower.read(deed(NOW_S - 60, tx_hash="0xlate"), deed())
    trades: list[Any] = follower.heard(wallet_pb2.WalletTraded)
    assert [one.transaction_hash for one in trades] == ["0x7a", "0xlate"]


def test_what_is_older_than_any_question_is_forgotten(follower: Follower) -> None:
    for minute in range(10):
        follower.read(deed(NOW_S + 60 * minute))
    reading = follower.core.agent.state.readings[WALLET]
    assert len(reading.said) == OVERLAP_S // 60 + 1


def test_a_long_history_is_read_piece_by_piece_without_a_pause(follower: Follower) -> None:
    follower.read(deed(NOW_S - 500), has_more=True, until_s=NOW_S - 400)
    last: Any = follower.questions(follow_pb2.ReadWallet)[-1]
    assert last.since_s == NOW_S - 399


def test_a_wallet_is_asked_about_once_until_it_is_answered_or_given_up(follower: Follower) -> None:
    follower.tick()
    follower.now_s += 15
    follower.tick()
    follower.tell(follow_pb2.WalletHeard(wallet=WALLET))
    assert len(follower.questions(follow_pb2.ReadWallet)) == 1
    follower.now_s += STALE_NS / NS
    follower.tick()
    assert len(follower.questions(follow_pb2.ReadWallet)) == 2


def test_a_service_that_fails_is_asked_again_at_the_next_tick(follower: Follower) -> None:
    follower.tick()
    follower.tell(follow_pb2.WalletRead(wallet=WALLET, error="HTTP 503"))
    follower.tick()
    assert len(follower.questions(follow_pb2.ReadWallet)) == 2
    follower.read(deed())
    follower.tell(follow_pb2.MarketsFound(condition_ids=[MARKET], error="HTTP 503"))
    assert follower.said == []
    follower.tick()
    assert len(follower.questions(follow_pb2.LookUpMarkets)) == 2
    follower.find()
    assert len(follower.heard(wallet_pb2.WalletTraded)) == 1


def test_a_market_that_nobody_knows_holds_nothing_up_for_ever(follower: Follower) -> None:
    follower.read(deed())
    follower.find(known=False)
    assert follower.topics() == ["market.data", "wallet.trades"]
    # Asked again with the next deed: by then it may be listed.
    follower.read(deed(NOW_S + 1))
    assert len(follower.questions(follow_pb2.LookUpMarkets)) == 2


def test_a_wallet_that_is_heard_is_read_at_once(follower: Follower) -> None:
    follower.tell(follow_pb2.WalletHeard(wallet=WALLET))
    assert len(follower.questions(follow_pb2.ReadWallet)) == 1


def test_deeds_that_are_no_trades_are_said_too(follower: Follower) -> None:
    redeemed = deed(kind=Kind.REDEEM, size_micro=10_000_000, usdc_micro=10_000_000)
    converted = deed(kind=Kind.CONVERSION, condition_id="0xneg")
    follower.read(redeemed, converted)
    # A conversion names no market, so it waits for none.
    [first] = follower.heard(wallet_pb2.WalletActed)
    assert (first.deed, first.condition_id) == (wallet_pb2.WALLET_DEED_CONVERSION, "")  # type: ignore[attr-defined]
    assert first.event_slug == "weather"  # type: ignore[attr-defined]
    follower.find()
    second: Any = follower.heard(wallet_pb2.WalletActed)[1]
    assert (second.deed, second.cash_micro) == (wallet_pb2.WALLET_DEED_REDEEM, 10_000_000)


def test_a_decided_market_is_told_once_and_asked_about_no_more(follower: Follower) -> None:
    follower.read(deed())
    follower.find()
    follower.tick()
    [asked] = follower.questions(follow_pb2.LookUpEnds)
    assert list(asked.condition_ids) == [MARKET]  # type: ignore[attr-defined]
    follower.end(0, 1_000_000)
    follower.end(0, 1_000_000)
    [resolved] = follower.heard(market_pb2.MarketResolved)
    assert (resolved.winning_index, resolved.winning_token_id) == (1, NO)  # type: ignore[attr-defined]
    follower.now_s += 10_000
    follower.tick()
    assert len(follower.questions(follow_pb2.LookUpEnds)) == 1
    # A deed that comes late is said without another listing.
    follower.read(deed(NOW_S + 1, kind=Kind.REDEEM))
    assert len(follower.questions(follow_pb2.LookUpMarkets)) == 1
    assert follower.topics()[-1] == "wallet.trades"


def test_a_market_that_paid_both_sides_has_no_winner(follower: Follower) -> None:
    follower.read(deed())
    follower.find()
    follower.end(500_000, 500_000)
    assert follower.heard(market_pb2.MarketResolved) == []
    assert MARKET in follower.core.agent.state.done


def test_ends_are_asked_for_in_their_own_rhythm(follower: Follower) -> None:
    follower.read(deed())
    follower.find()
    follower.tick()
    follower.now_s += 15
    follower.tick()
    assert len(follower.questions(follow_pb2.LookUpEnds)) == 1
    follower.now_s += 300
    follower.tick()
    assert len(follower.questions(follow_pb2.LookUpEnds)) == 2


def test_a_restart_from_the_journal_knows_what_was_said() -> None:
    follower = Follower()
    acts = (follower.start, follower.tick, lambda: follower.read(deed()), follower.find)
    entries = [act().entry for act in acts]
    entries.append(follower.read(deed(), deed(NOW_S + 1)).entry)
    restarted = Core(FollowAgent(FollowSettings()))
    for entry in entries:
        restarted.follow(entry, {})
    assert restarted.snapshot(0) == follower.core.snapshot(0)
    assert YES in restarted.agent.state.markets[MARKET]


def test_the_roster_is_read_from_both_places_in_lower_case_and_once(tmp_path: Any) -> None:
    file = tmp_path / "wallets"
    file.write_text(f"{OTHER}\n{WALLET.upper().replace('0X', '0x')}\n")
    settings = FollowSettings(wallets=f" {WALLET}, ", wallets_file=file)
    assert settings.roster() == (WALLET, OTHER)


def test_a_roster_that_cannot_be_read_says_why(tmp_path: Any) -> None:
    with pytest.raises(BadRoster, match=r"no wallet's address.*0xabc"):
        FollowSettings(wallets="0xabc").roster()
    with pytest.raises(BadRoster, match="cannot be read"):
        FollowSettings(wallets_file=tmp_path / "none").roster()


def test_a_local_exchange_serves_every_host() -> None:
    settings = FollowSettings(venue_url="http://127.0.0.1:8800/")
    assert settings.data_url == "http://127.0.0.1:8800/data-api"
    assert settings.gamma_url == "http://127.0.0.1:8800/gamma"
    assert settings.stream_url == "ws://127.0.0.1:8800/rtds"
    assert FollowSettings().stream_url.startswith("wss://")
