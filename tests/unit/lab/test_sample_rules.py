"""The rules that read names: token arithmetic, resolution time, outcome names, categories."""

import datetime as dt

import pytest

from whaletrader.lab.sample.categories import FEE_RATE_MICRO, RULES, categorise
from whaletrader.lab.sample.resolution import complete_outcomes, resolution_time
from whaletrader.lab.sample.source import Fill, SourceMarket
from whaletrader.lab.sample.tokens import TokenMismatch, derive_tokens


def second(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp())


def market(slug: str, traded: str, redeemed: str | None = None) -> SourceMarket:
    fill = Fill("0xa", second(traded), "BUY", "1", 0, "Yes", 1.0, 0.5, 0.5, "0x")
    return SourceMarket(
        condition_id="0x1",
        slug=slug,
        event_slug=slug,
        title=slug,
        fills=[fill],
        first_redeem_s=second(redeemed) if redeemed else None,
        has_split_or_merge=False,
        winning_index=0,
        winner_basis="published",
        outcomes=("", ""),
    )


# Recorded on chain: condition, both ids as traded, collateral plain or wrapped.
PLAIN = (
    "0x795e95b5f4d8b932ba710fd59a72b757b5e6ca899f6377c43170c101a4b92c44",
    "32802204897014418503497522798618326105446167653725258465172474068804384423534",
    "26186513475527527421055557782523600805288423989881418208155235053029399643902",
    False,
)
WRAPPED = (
    "0x6c3d5fba5442f3e725eb89b7cffcc341ca3105cddaac09c1e4bc8e7010f0fe40",
    "7988364699307342268260495915445731509602502693363579435248273813409237524599",
    "27120152309306977992209464424197509161348402683341807871062277866907268946377",
    True,
)


@pytest.mark.parametrize(("condition", "token0", "token1", "is_neg_risk"), [PLAIN, WRAPPED])
@pytest.mark.parametrize("traded", [(0,), (1,), (0, 1)])
def test_ids_computed_from_the_condition_are_those_traded_on_chain(
    condition: str, token0: str, token1: str, is_neg_risk: bool, traded: tuple[int, ...]
) -> None:
    seen = {index: (token0, token1)[index] for index in traded}
    assert derive_tokens(condition, seen) == ((token0, token1), is_neg_risk)


@pytest.mark.parametrize(
    "seen",
    [{}, {0: PLAIN[2]}, {1: PLAIN[1]}, {0: PLAIN[1], 1: PLAIN[1]}, {0: WRAPPED[1]}],
)
def test_an_id_that_is_not_the_conditions_is_never_replaced_by_a_guess(
    seen: dict[int, str],
) -> None:
    with pytest.raises(TokenMismatch):
        derive_tokens(PLAIN[0], seen)


@pytest.mark.parametrize(
    ("slug", "traded", "redeemed", "resolved", "basis"),
    [
        # A named window ends when it ends, however late somebody redeems.
        (
            "btc-updown-15m-1771016400",
            "2026-02-13 21:05:00",
            "2026-02-13 23:00:00",
            "2026-02-13 21:15:00",
            "window_end",
        ),
        (
            "sol-updown-4h-1767963600",
            "2026-01-09 14:00:00",
            None,
            "2026-01-09 17:00:00",
            "window_end",
        ),
        # A trade after the window moves the resolution behind it.
        (
            "btc-updown-5m-1771016400",
            "2026-02-13 21:20:00",
            None,
            "2026-02-13 21:20:01",
            "window_end",
        ),
        (
            "will-it-by-march-31-2026",
            "2026-01-01 00:00:00",
            "2026-01-05 10:00:00",
            "2026-01-05 10:00:00",
            "first_redeem",
        ),
        (
            "nfl-ne-den-2026-01-25",
            "2026-01-25 22:00:00",
            None,
            "2026-01-26 12:00:00",
            "named_date",
        ),
        (
            "maduro-out-by-january-31",
            "2025-12-20 00:00:00",
            None,
            "2026-02-01 12:00:00",
            "named_date",
        ),
        (
            "tweets-december-23-december-30",
            "2025-12-24 00:00:00",
            None,
            "2025-12-31 12:00:00",
            "named_date",
        ),
        (
            "strikes-by-january-18-2026-991",
            "2026-01-16 00:00:00",
            None,
            "2026-01-19 12:00:00",
            "named_date",
        ),
    ],
)
def test_resolution_time_comes_from_the_best_evidence(
    slug: str, traded: str, redeemed: str | None, resolved: str, basis: str
) -> None:
    assert resolution_time(market(slug, traded, redeemed)) == (second(resolved), basis)


@pytest.mark.parametrize(
    "slug",
    ["will-they-win-the-election", "never-on-february-31-2026", "btc-updown-15m-soon", "in-2025"],
)
def test_a_market_that_nothing_dates_has_no_resolution_time(slug: str) -> None:
    assert resolution_time(market(slug, "2026-01-01 00:00:00")) is None


@pytest.mark.parametrize(
    ("known", "index", "title", "expected"),
    [
        ("Yes", 0, "Will it?", ("Yes", "No")),
        ("No", 1, "Will it?", ("Yes", "No")),
        ("Down", 1, "Up or down", ("Up", "Down")),
        ("Over", 0, "O/U 2.5", ("Over", "Under")),
        ("Suns", 1, "Mavericks vs. Suns", ("Mavericks", "Suns")),
        ("USA", 1, "Men's Group C - Latvia vs. USA", ("Latvia", "USA")),
        ("Suns", 0, "Mavericks vs. Suns", ("Suns", "not Suns")),
        ("Suns", 0, "Spread: Suns (-7.5)", ("Suns", "not Suns")),
    ],
)
def test_the_name_of_an_untraded_outcome_is_its_opposite(
    known: str, index: int, title: str, expected: tuple[str, str]
) -> None:
    half_known = market("m", "2026-01-01 00:00:00")
    half_known.title = title
    half_known.fills = []
    half_known.outcomes = (known, "") if index == 0 else ("", known)
    assert complete_outcomes(half_known) == expected


@pytest.mark.parametrize(
    ("event_slug", "category"),
    [
        ("btc-updown-15m-1771016400", "crypto"),
        ("solana-above-on-february-13", "crypto"),
        ("monad-market-cap-fdv-one-day-after-launch", "crypto"),
        ("nba-chi-bos-2026-02-11", "sports"),
        ("super-bowl-lx-mvp", "sports"),
        ("first-song-at-super-bowl-lx-halftime-show", "culture"),
        ("trump-divorce-in-2025", "culture"),
        ("what-will-trump-say-during-netanyahu-event-on-monday", "mentions"),
        ("highest-temperature-in-nyc-on-february-9-2026", "weather"),
        ("nvda-close-above-on-february-11-2026", "finance"),
        ("fed-decision-in-october", "economics"),
        ("how-many-fed-rate-cuts-in-2025", "economics"),
        ("which-company-has-best-ai-model-end-of-2025", "tech"),
        ("us-strikes-iran-by", "geopolitics"),
        ("honduras-presidential-election-margin-of-victory-new-strikes-192", "politics"),
        ("when-will-the-government-shutdown-end-545", "politics"),
        ("lord-miles-water-fast", "other"),
        ("ethics-committee-chairs", "other"),
    ],
)
def test_a_market_falls_into_the_category_of_what_it_is_about(
    event_slug: str, category: str
) -> None:
    assert categorise(event_slug, "market") == category


def test_a_nondescript_event_is_judged_by_its_market() -> None:
    assert categorise("special-14", "will-bitcoin-fall") == "crypto"


def test_every_category_of_the_table_has_a_rate_and_only_geopolitics_is_free() -> None:
    assert {category for category, _ in RULES} <= FEE_RATE_MICRO.keys()
    assert [name for name, rate in FEE_RATE_MICRO.items() if rate == 0] == ["geopolitics"]
