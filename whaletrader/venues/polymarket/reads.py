"""Polymarket's public reads that the official client does not offer, or only in part, by httpx.

Server time, version, a market's compact terms, the makers' rebate, the region gate and whether a
wallet's contract is deployed. No read has an effect: each may be repeated. Used by the adapter and
the pre-flight.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import httpx

from whaletrader.domain.money import MICRO
from whaletrader.venues.errors import (
    Refusal,
    Restriction,
    VenueRefused,
    VenueStop,
    VenueUnavailable,
)
from whaletrader.venues.polymarket.translate import micro
from whaletrader.venues.terms import FeeSchedule, MarketTerms, Region

PRODUCTION_GEOBLOCK: Final = "https://polymarket.com/api/geoblock"
_TIMEOUT: Final = httpx.Timeout(connect=5.0, read=10.0, write=10.0, pool=2.0)
# What the relayer calls the kinds of wallets, by signature type.
_RELAYER_KINDS: Final = {1: "PROXY", 2: "SAFE", 3: "WALLET"}
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where the reads go: base addresses, the region gate's whole address."""

    clob: str
    gamma: str
    relayer: str
    geoblock: str


class PublicReads:
    """Reads without credentials. `http` is closed by whoever made it."""

    def __init__(self, hosts: Hosts, http: httpx.AsyncClient | None = None) -> None:
        self._hosts = hosts
        self._http = http or httpx.AsyncClient(timeout=_TIMEOUT)

    async def close(self) -> None:
        await self._http.aclose()

    async def server_time_ns(self) -> int:
        """Return the venue's clock: whole seconds. Raises VenueUnavailable."""
        answer = await self._get(f"{self._hosts.clob}/time")
        if isinstance(answer, bool) or not isinstance(answer, int) or answer <= 0:
            raise VenueUnavailable(f"the venue's time is {answer!r}")
        return answer * _NS

    async def version(self) -> int:
        """Return the order generation that the venue takes by default. VenueUnavailable."""
        found = _row(await self._get(f"{self._hosts.clob}/version")).get("version")
        if not isinstance(found, int):
            raise VenueUnavailable(f"the venue's version is {found!r}")
        return found

    async def region(self) -> Region:
        """Return the site gate's answer. Raises VenueUnavailable if it does not say yes or no."""
        row = _row(await self._get(self._hosts.geoblock))
        blocked = row.get("blocked")
        if not isinstance(blocked, bool):
            raise VenueUnavailable("the region gate says neither blocked nor free")
        return Region(blocked, str(row.get("country") or ""), str(row.get("region") or ""))

    async def terms(self, condition_id: str) -> MarketTerms:
        """Return a market's terms. Raises VenueRefused (unknown market), VenueUnavailable."""
        row = _row(await self._get(f"{self._hosts.clob}/clob-markets/{condition_id}"))
        try:
            return _terms(row, condition_id)
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            raise VenueUnavailable(f"a market's terms cannot be read: {error!r}") from error

    async def listed_market(self) -> str:
        """Return the condition id of some market that takes orders now.

        Raises VenueUnavailable if the venue lists none.
        """
        page = _row(await self._get(f"{self._hosts.clob}/sampling-markets"))
        rows = page.get("data")
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and row.get("accepting_orders") is True:
                tokens = row.get("tokens") or [{}]
                if all(isinstance(token, dict) and token.get("token_id") for token in tokens):
                    return str(row["condition_id"])
        raise VenueUnavailable("the venue lists no market that takes orders: name one")

    async def maker_rebate_micro(self, condition_id: str) -> int:
        """Return the makers' share of the takers' fees, 0 where it is not told."""
        params = {"condition_ids": condition_id, "limit": "1"}
        rows = await self._get(f"{self._hosts.gamma}/markets", params)
        row = rows[0] if isinstance(rows, list) and rows else None
        schedule = row.get("feeSchedule") if isinstance(row, dict) else None
        if not isinstance(schedule, dict):
            return 0
        rate = schedule.get("rebateRate")
        return micro(Decimal(str(rate))) if isinstance(rate, int | float) else 0

    async def is_deployed(self, wallet: str, signature_type: int) -> bool:
        """Whether a contract wallet exists on chain, as the relayer knows it."""
        params = {"address": wallet, "type": _RELAYER_KINDS[signature_type]}
        row = _row(await self._get(f"{self._hosts.relayer}/deployed", params))
        return row.get("deployed") is True

    async def _get(self, url: str, params: dict[str, str] | None = None) -> Any:
        try:
            answer = await self._http.get(url, params=params)
        except httpx.HTTPError as error:
            raise VenueUnavailable(f"no answer from {_host(url)}: {error!r}") from error
        if not answer.is_success:
            raise _of_status(answer)
        try:
            return answer.json()
        except ValueError as error:
            raise VenueUnavailable(f"{_host(url)} did not answer with JSON") from error


def _of_status(answer: httpx.Response) -> Exception:
    text = f"{answer.request.url.path}: {answer.status_code} {answer.text[:200]}"
    if answer.status_code in (400, 404):
        return VenueRefused(text, Refusal.UNKNOWN_TOKEN)
    if answer.status_code in (401, 403):
        return VenueStop(text)
    retry_after = answer.headers.get("retry-after", "")
    retry_after_s = float(retry_after) if retry_after.replace(".", "", 1).isdecimal() else 0.0
    restriction = {425: Restriction.RESTARTING, 429: Restriction.RATE_LIMITED}.get(
        answer.status_code, Restriction.AWAY
    )
    return VenueUnavailable(text, retry_after_s, restriction)


def _terms(row: dict[str, Any], condition_id: str) -> MarketTerms:
    fee = row.get("fd") or {}
    tick = micro(Decimal(str(row["mts"])))
    if not 0 < tick < MICRO:
        raise ValueError(f"tick {row['mts']!r}")
    return MarketTerms(
        condition_id=str(row.get("c") or condition_id),
        token_ids=tuple(str(token["t"]) for token in row["t"]),
        tick_micro=tick,
        min_size_micro=micro(Decimal(str(row["mos"]))),
        neg_risk=row.get("nr") is True,
        is_accepting_orders=row.get("ao") is True,
        fees=FeeSchedule(
            rate_micro=micro(Decimal(str(fee.get("r") or 0))),
            exponent=int(fee.get("e") or 1),
            is_taker_only=fee.get("to") is not False,
        ),
        taker_delay_s=int(row.get("sd") or 0),
        has_taker_delay=row.get("itode") is True,
    )


def _row(answer: Any) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise VenueUnavailable("the venue answered with something else than an object")
    return answer


def _host(url: str) -> str:
    return httpx.URL(url).host
