"""Which fee category a market falls into, read off its event slug and slug.

Owns the rule table and the venue's taker fee rates by category. The source names no
category, so this is a reading of names, first match wins; it never looks at prices or at
results. Called by `selection`.
"""

import re

# Taker rates in force since 2026-07-10, in micro-units (70_000 = 0.07); makers pay none.
FEE_RATE_MICRO = {
    "crypto": 70_000,
    "sports": 50_000,
    "finance": 40_000,
    "politics": 40_000,
    "mentions": 40_000,
    "tech": 40_000,
    "economics": 50_000,
    "culture": 50_000,
    "weather": 50_000,
    "other": 50_000,
    "geopolitics": 0,
}

_LEAGUES = (
    "nba|wnba|nfl|nhl|mlb|mls|cbb|cwbb|cfb|epl|efl|elc|lal|ucl|uel|uef|col|fl1|bun|sea|itc|cdr|spl|"
    "bra|arg|mex|tur|ere|por|mwoh|wwoh|atp|wta|ufc|lol|dota2|cs2|val|crint|cricket|euroleague|"
    "bkbbl|fifwc|boxing|f1"
)

# Order matters: what a market is *about* before who is named in it.
RULES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (category, re.compile(pattern))
    for category, pattern in (
        ("mentions", r"^what-will-.*-say\b|\bearnings-mentions\b|\bsay-.*-(times|during)\b"),
        ("weather", r"temperature|hurricane|\bsnow\b|rainfall|earthquake"),
        (
            "culture",
            r"halftime|run-ads-during|attend-the-2026-pro-football|searched|spotify|grammy|"
            r"oscars|box-office|movie|album|\bsongs?\b|kpop|stranger-things|\bviews\b|divorce|"
            r"person-of-the-year|game-awards|billboard|netflix|kanye|of-tweets|beast-games|"
            r"louvre|card-hit|clavicular|most-viewed|mrbeast|\bwear-a\b|opening-weekend",
        ),
        (
            "sports",
            rf"^(?:{_LEAGUES})-|grand-prix|super-bowl|genesis-cup|nfl-teams|honnold|"
            r"world-series|\bf1\b|pro-football",
        ),
        (
            "finance",
            r"(?:nvda|tsla|googl|amzn|msft|aapl|meta|spx|nflx|pltr|coin|mstr)-"
            r"(?:close|up-or-down)|price-will-(?:meta|nvidia|tesla|apple|google)|"
            r"largest-company|\bipo\b|treasury-yield|\b(?:gold|silver|crude-oil|si)-"
            r"(?:over|hit|close|price|up)|s-p-500",
        ),
        (
            "crypto",
            r"updown|up-or-down|\b(?:bitcoin|btc|ethereum|eth|solana|sol|xrp|dogecoin|doge)\b|"
            r"airdrop|launch-a-token|\bfdv\b|public-sale|pre-deposit|microstrategy|satoshi|"
            r"megaeth|monad|gvle-goat",
        ),
        (
            "economics",
            r"^fed-(?:decision|cuts|derivative|decreases)|fed-rate|inflation|unemployment|"
            r"jobs-added|\bgdp\b|\bcpi\b|recession|bank-of-|tariff",
        ),
        (
            "tech",
            r"\bai\b|gemini|\bgpt|chatgpt|openai|\bgrok\b|claude|deepseek|app-store|cloudflare|"
            r"spacex|\bxai\b",
        ),
        # "Strike" in an election's name is about ballots, not bombs.
        ("politics", r"(?:presidential|parliamentary|mayoral|general)-election"),
        (
            "geopolitics",
            r"\bstrikes?\b|ceasefire|\bcapture\b|\biran(?:ian)?\b|israel|hamas|hamaz|hezbollah|"
            r"houthi|\bgaza\b|venezuela|maduro|cilia-flores|ukraine|russian?\b|putin|zelensk|"
            r"khamenei|pahlavi|netanyahu|\bxi\b|xi-jinping|greenland|military|board-of-peace|"
            r"tomahawk|drug-boat|oil-tanker|cartel|havana-syndrome|peace-(?:deal|plan)|"
            r"nothing-ever-happens|\bcuba\b|syria|taiwan|leader-out-of-power",
        ),
        (
            "politics",
            r"election|mayor|president|political-party|custody|in-jail|"
            r"trump|congress|senate|\bhouse\b|shutdown|epstein|mamdani|"
            r"eric-adams|sliwa|parliament|governor|attorney-general|pardon|funding|fed-chair|"
            r"prime-minister|\bvotes?\b|\bseats\b|daycare|\bweed\b|witkoff|cuomo|andr-ventura",
        ),
    )
)


def categorise(event_slug: str, slug: str) -> str:
    """Return the fee category of a market, `other` where no rule applies."""
    for text in (event_slug, slug):
        for category, pattern in RULES:
            if pattern.search(text):
                return category
    return "other"
