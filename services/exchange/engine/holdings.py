"""What holders do with their shares and collateral on the chain itself, outside the book.

Splits, merges, conversions, redemptions and withdrawals use settled balances only, and at once: a
trade that waits to be mined, or a resting order, that is no longer covered afterwards is the
caller's to fail (`settlement.fail_uncovered`). Called by the exchange.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from whaletrader.services.exchange.engine import allowances
from whaletrader.services.exchange.engine.errors import BadInstruction, OperationRefused
from whaletrader.services.exchange.engine.ledger import (
    BURN,
    CASH,
    FEES,
    HOUSE,
    SETS,
    TAPE,
    VAULT,
    Account,
    Flow,
)
from whaletrader.services.exchange.engine.model import (
    Activity,
    ActivityKind,
    CloseReason,
    Market,
    Side,
)
from whaletrader.services.exchange.engine.rebates import DAY_NS
from whaletrader.services.exchange.engine.state import EngineState


class Touched(NamedTuple):
    """What an operation was about: the market, how many shares, and each token's change."""

    market: Market | None = None
    amount_micro: int = 0
    shares: tuple[tuple[str, int], ...] = ()


_NOTHING = Touched()


def split(state: EngineState, account: str, market: Market, amount_micro: int) -> Activity:
    """Turn collateral into as many shares of both outcomes."""
    _check_amount(amount_micro)
    if market.winning_index is not None:
        raise OperationRefused(f"{market.condition_id} is resolved: there is nothing to split")
    _check_settled(state, account, CASH, amount_micro)
    _change(state, account, CASH, -amount_micro)
    shares = tuple((token.token_id, amount_micro) for token in market.tokens)
    for token_id, change in shares:
        _change(state, account, token_id, change)
    state.ledger.post([(VAULT, CASH, amount_micro), (SETS, market.condition_id, amount_micro)])
    return _note(
        state,
        ActivityKind.SPLIT,
        account,
        -amount_micro,
        Touched(market, amount_micro, shares),
    )


def merge(state: EngineState, account: str, market: Market, amount_micro: int) -> Activity:
    """Turn shares of both outcomes into as much collateral."""
    _check_amount(amount_micro)
    if market.winning_index is not None:
        raise OperationRefused(f"{market.condition_id} is resolved: redeem instead of merging")
    for token in market.tokens:
        _check_settled(state, account, token.token_id, amount_micro)
    shares = tuple((token.token_id, -amount_micro) for token in market.tokens)
    for token_id, change in shares:
        _change(state, account, token_id, change)
    _change(state, account, CASH, amount_micro)
    state.ledger.post([(VAULT, CASH, -amount_micro), (SETS, market.condition_id, -amount_micro)])
    return _note(
        state,
        ActivityKind.MERGE,
        account,
        amount_micro,
        Touched(market, amount_micro, shares),
    )


def convert(
    state: EngineState, account: str, event_id: str, condition_ids: list[str], amount_micro: int
) -> Activity:
    """Turn NO shares of k markets of an event into YES of all its others and k - 1 collateral.

    Worth the same whichever outcome wins. The NO shares go to the burn, which owes their payout.
    """
    _check_amount(amount_micro)
    markets = event_markets(state, event_id)
    chosen = [m for m in markets if m.condition_id in condition_ids]
    if not chosen or len(chosen) != len(condition_ids):
        raise BadInstruction(f"name at least one market of event {event_id}, each once")
    for market in chosen:
        _check_settled(state, account, market.tokens[1].token_id, amount_micro)
    shares: list[tuple[str, int]] = []
    flows: list[Flow] = []
    for market in markets:
        yes, no = (token.token_id for token in market.tokens)
        flows.append((BURN, no, amount_micro))
        if market in chosen:
            shares.append((no, -amount_micro))
            continue
        shares.append((yes, amount_micro))
        flows.append((SETS, market.condition_id, amount_micro))
        flows += [(BURN, CASH, -amount_micro), (VAULT, CASH, amount_micro)]
    collateral = (len(chosen) - 1) * amount_micro
    flows.append((BURN, CASH, -collateral))
    state.ledger.post(flows)
    for token_id, change in (*shares, (CASH, collateral)):
        _change(state, account, token_id, change)
    activity = _note(
        state,
        ActivityKind.CONVERSION,
        account,
        collateral,
        Touched(chosen[0], amount_micro, tuple(shares)),
    )
    for market in markets:
        redeem_if_resolved(state, market, (account,))
    return activity


def redeem(state: EngineState, account: str, market: Market) -> Activity | None:
    """Pay an account's shares of a resolved market; None when it has nothing to redeem.

    Shares that trades not yet mined will bring are redeemable only after that.
    """
    if market.winning_index is None:
        raise OperationRefused(f"{market.condition_id} is not resolved yet")
    holder = state.ledger.account(account)
    shares: list[tuple[str, int]] = []
    for token in market.tokens:
        size = holder.positions.get(token.token_id, 0) - holder.pending_in.get(token.token_id, 0)
        if size > 0 or (size < 0 and account in HOUSE):
            shares.append((token.token_id, -size))
    if not shares:
        return None
    winner = market.tokens[market.winning_index].token_id
    payout = -sum(change for token_id, change in shares if token_id == winner)
    for token_id, change in shares:
        _change(state, account, token_id, change)
        if holder.positions[token_id] == 0:
            del holder.positions[token_id]
    flows = [(SETS, market.condition_id, -payout), (VAULT, CASH, -payout)]
    state.ledger.post(flows if payout >= 0 else [(account, CASH, payout), *flows])
    if payout >= 0:
        _change(state, account, CASH, payout)
    if account in HOUSE:
        return None
    return _note(
        state,
        ActivityKind.REDEEM,
        account,
        payout,
        Touched(market, sum(-change for _, change in shares), tuple(shares)),
    )


def redeem_all(state: EngineState, market: Market) -> None:
    """At a resolution: settle the house, which may owe, then all holders if settings say so."""
    # The tape can be short of the winner: it pays in before others are paid out.
    for name in (TAPE, BURN):
        redeem(state, name, market)
    if state.settings.auto_redeem:
        for account in state.ledger.all_accounts():
            if account.address not in HOUSE:
                redeem(state, account.address, market)


def redeem_if_resolved(state: EngineState, market: Market, addresses: tuple[str, ...]) -> None:
    """After a change in a resolved market: settle the house again, and holders by setting."""
    if market.winning_index is None:
        return
    for name in (TAPE, BURN):
        redeem(state, name, market)
    if state.settings.auto_redeem:
        for address in addresses:
            redeem(state, address, market)


def withdraw(state: EngineState, account: str, amount_micro: int) -> Activity:
    """Take settled collateral out of the exchange."""
    _check_amount(amount_micro)
    _check_settled(state, account, CASH, amount_micro)
    state.ledger.withdraw(account, amount_micro)
    return _note(state, ActivityKind.WITHDRAWAL, account, -amount_micro)


def note_income(
    state: EngineState, kind: ActivityKind, account: str, amount_micro: int, condition_id: str = ""
) -> Activity:
    """Record collateral that came in: a deposit, or a rebate for a market."""
    market = state.markets.get(condition_id)
    return _note(state, kind, account, amount_micro, Touched(market))


def pay_rebates(state: EngineState) -> None:
    """Pay the makers' rebates of all days that are over, each day once."""
    for day in state.rebates.unpaid_days(state.now_ns // DAY_NS):
        state.rebates.paid_days.add(day)
        for rebate in state.rebates.of(day):
            amount = rebate.amount_micro
            state.ledger.post([(FEES, CASH, -amount), (rebate.maker, CASH, amount)])
            kind = ActivityKind.MAKER_REBATE
            note_income(state, kind, rebate.maker, amount, rebate.condition_id)


def event_markets(state: EngineState, event_id: str) -> list[Market]:
    """Return an event's markets in order, the implicit one last."""
    event = state.events.get(event_id)
    if event is None:
        raise BadInstruction(f"there is no neg-risk event {event_id}")
    return [state.markets[condition_id] for condition_id in event.condition_ids]


def drop_unfunded(state: EngineState, address: str) -> None:
    """Cancel an account's resting orders, newest first, until the rest is covered."""
    account = state.ledger.account(address)
    if not _is_short(state, account):
        return
    for order in state.open_orders_of(address):
        if order.terms.side is Side.BUY:
            lacks = account.free_cash_micro < 0
        else:
            lacks = account.free_shares_micro(order.terms.token_id) < 0
        if lacks or not allowances.covers_open(state, order):
            state.close(order, CloseReason.NOT_FUNDED)


def _is_short(state: EngineState, account: Account) -> bool:
    if account.free_cash_micro < 0 or account.address in state.allowances:
        return True
    return any(account.free_shares_micro(token) < 0 for token in account.reserved_shares)


def _check_amount(amount_micro: int) -> None:
    if amount_micro <= 0:
        raise BadInstruction(f"the amount must be positive, not {amount_micro} micro-units")


def _check_settled(state: EngineState, account: str, asset: str, needed_micro: int) -> None:
    if account in HOUSE:
        raise BadInstruction(f"{account} is the house's")
    settled = state.ledger.account(account).settled(asset)
    if settled < needed_micro:
        what = f"token {asset}" if asset else "collateral"
        raise OperationRefused(
            f"{account} has {settled} micro-units of settled {what}, {needed_micro} are needed"
        )


def _change(state: EngineState, address: str, asset: str, change: int) -> None:
    """Change a chain balance; the venue's view may fall below nothing until it is covered again."""
    account = state.ledger.account(address)
    if asset:
        account.positions[asset] += change
    else:
        account.cash_micro += change


def _note(
    state: EngineState,
    kind: ActivityKind,
    account: str,
    usdc_micro: int,
    touched: Touched = _NOTHING,
) -> Activity:
    seq = state.next_seq()
    name = f"{kind}:{account}:{seq}"
    activity = Activity(
        activity_id="0x" + hashlib.sha256(name.encode()).hexdigest(),
        seq=seq,
        kind=kind,
        account=account,
        at_ns=state.now_ns,
        usdc_micro=usdc_micro,
        amount_micro=touched.amount_micro,
        condition_id=touched.market.condition_id if touched.market else "",
        event_id=touched.market.neg_risk_event if touched.market else "",
        shares_micro=touched.shares,
    )
    state.activities[account].append(activity)
    return activity
