"""Forgetting what nobody will ask for, so that a crowd can trade for weeks in bounded memory.

Only accounts that the caller names are forgotten, and only what is over: closed orders, final
trades, chain operations. Their positions are carried on as a balance, so that profit stays right.
Whatever others took part in stays with those others. Called by the driver of a crowd.
"""

from __future__ import annotations

from collections.abc import Collection

from whaletrader.services.exchange.engine import pnl
from whaletrader.services.exchange.engine.ledger import HOUSE
from whaletrader.services.exchange.engine.rebates import DAY_NS
from whaletrader.services.exchange.engine.state import EngineState


def forget(state: EngineState, accounts: Collection[str], before_ns: int) -> int:
    """Forget what these accounts finished before a time; return how many orders and trades went.

    The accounts must trade with keys of their own: principal and account are the same address.
    Nothing from the first unfinished trade on is forgotten, nor trades of a day whose rebates are
    still open.
    """
    chosen = dict.fromkeys(accounts)
    before_ns = (
        min(before_ns, state.now_ns // DAY_NS * DAY_NS) if _has_rebates(state) else before_ns
    )
    end_seq = state.seq + 1
    for account in chosen:
        for trade in state.trades_by_account.get(account, ()):
            if not trade.status.is_final or trade.match_ns >= before_ns:
                end_seq = min(end_seq, trade.seq)
                break
    gone: dict[str, None] = {}
    for account in chosen:
        pnl.carry_over(state, account, end_seq)
        for index in (state.trades_by_account, state.trades_by_principal):
            kept = [trade for trade in index.get(account, ()) if trade.seq >= end_seq]
            gone |= {t.trade_id: None for t in index.get(account, ()) if t.seq < end_seq}
            index[account] = kept
        activities = state.activities.get(account, [])
        # Deposits and the like are few, and say where the money came from.
        kept_too = [a for a in activities if a.seq >= end_seq or not a.shares_micro]
        state.activities[account] = kept_too
    dropped = [
        trade_id
        for trade_id in gone
        if all(leg.account in chosen or leg.account in HOUSE for leg in state.trades[trade_id].legs)
    ]
    for trade_id in dropped:
        del state.trades[trade_id]
    for trades in state.rebates.trades.values():
        trades[:] = [trade for trade in trades if trade.trade_id in state.trades]
    return len(dropped) + _forget_orders(state, chosen, before_ns)


def _has_rebates(state: EngineState) -> bool:
    """Whether some trade of the present day paid a fee: its makers are not known yet."""
    return bool(state.rebates.trades.get(state.now_ns // DAY_NS))


def _forget_orders(state: EngineState, chosen: dict[str, None], before_ns: int) -> int:
    needed = {leg.order_id for item in state.unsettled.values() for leg in item.trade.legs}
    over = [
        order_id
        for order_id, order in state.orders.items()
        if order.terms.account in chosen
        and not order.is_open
        and order.arrival_ns < before_ns
        and order_id not in needed
    ]
    for order_id in over:
        del state.orders[order_id]
    return len(over)
