"""What wallets let the exchange's contracts move: collateral up to an amount, shares or not.

A wallet that nobody set anything for may be used without limit, unless the settings say that
nothing is allowed until it is. Called at placement, at matches and when an allowance is lowered.
"""

from __future__ import annotations

from whaletrader.services.exchange.engine.errors import OrderRefused
from whaletrader.services.exchange.engine.model import Market, NewOrder, Order, Side
from whaletrader.services.exchange.engine.state import EngineState
from whaletrader.services.exchange.signing.contracts import order_domain

UNLIMITED = (1 << 256) - 1


def spender_of(market: Market, generation: int = 0) -> str:
    """Return the contract (lower case) that settles a market's orders of a generation."""
    token_id = market.tokens[0].token_id
    # Only the retired generation has contracts of its own for the same tokens.
    forced = generation if generation == 1 else None
    return order_domain(token_id, neg_risk=market.neg_risk, generation=forced)[1].lower()


def allowance(state: EngineState, account: str, spender: str) -> tuple[int, bool]:
    """Return (collateral in micro-units, whether shares may be moved)."""
    default = (UNLIMITED, True) if state.settings.allowances_unlimited else (0, False)
    return state.allowances.get(account, {}).get(spender.lower(), default)


def allow(
    state: EngineState, account: str, spender: str, collateral_micro: int | None, conditional: bool
) -> None:
    """Set an allowance; None leaves the collateral's as it is."""
    if collateral_micro is None:
        collateral_micro = allowance(state, account, spender)[0]
    state.allowances.setdefault(account, {})[spender.lower()] = (collateral_micro, conditional)


def is_limited(state: EngineState, account: str) -> bool:
    return account in state.allowances or not state.settings.allowances_unlimited


def check(state: EngineState, order: Order, needed_micro: int) -> None:
    """Refuse an order that the contract may not settle, in the venue's words."""
    terms = order.terms
    if not is_limited(state, terms.account):
        return
    spender = spender_of(order.market, terms.generation)
    collateral, conditional = allowance(state, terms.account, spender)
    allowed = collateral if terms.side is Side.BUY else UNLIMITED if conditional else 0
    if allowed == UNLIMITED:
        return
    if terms.side is Side.BUY:
        allowed -= _reserved(state, terms.account, spender)
    if needed_micro > allowed:
        raise OrderRefused(
            "not enough balance / allowance: the allowance is not enough -> "
            f"spender: {spender}, allowance: {max(allowed, 0)}, order amount: {needed_micro}"
        )


def spend(state: EngineState, terms: NewOrder, market: Market, amount_micro: int) -> None:
    """Use up a buyer's allowance by what it paid; negative gives back what a reversal undid."""
    if terms.side is not Side.BUY or not is_limited(state, terms.account):
        return
    spender = spender_of(market, terms.generation)
    collateral, conditional = allowance(state, terms.account, spender)
    if collateral != UNLIMITED:
        allow(state, terms.account, spender, max(collateral - amount_micro, 0), conditional)


def covers_open(state: EngineState, order: Order) -> bool:
    """Whether a resting order is still allowed, with all that rests beside it."""
    terms = order.terms
    if not is_limited(state, terms.account):
        return True
    spender = spender_of(order.market, terms.generation)
    collateral, conditional = allowance(state, terms.account, spender)
    if terms.side is Side.SELL:
        return conditional
    return collateral == UNLIMITED or collateral >= _reserved(state, terms.account, spender)


def _reserved(state: EngineState, account: str, spender: str) -> int:
    return sum(
        order.reserved_micro
        for order in state.open_orders_of(account)
        if order.terms.side is Side.BUY
        and spender_of(order.market, order.terms.generation) == spender
    )
