"""What the API answers, from a story that the recorder's writer put into a real PostgreSQL."""

import httpx
import pytest

from tests.browser import desk_story as story
from tests.integration.gateway.gateway_desk import gateway, recorded_story


async def test_every_number_of_the_portfolio_is_that_of_its_books(postgres_dsn: str) -> None:
    told = await recorded_story(postgres_dsn)
    async with gateway(postgres_dsn) as (_, client):
        found = (await client.get("/api/summary")).json()
        desk = told.desk
        cost = sum(cost for _, cost, _ in desk.held.values())
        value = sum(size * mark // story.MICRO for size, _, mark in desk.held.values())
        assert found["cash_micro"] == str(desk.cash)
        assert found["fees_micro"] == str(desk.fees)
        assert found["exposure_micro"] == str(cost)
        assert found["realized_after_fees_micro"] == str(desk.realized - desk.fees)
        assert found["open_profit_micro"] == str(value - cost)
        assert found["profit_micro"] == str(desk.realized - desk.fees + value - cost)
        assert found["open_positions"] == len(desk.held)
        assert found["whales"] == 3

        curve = (await client.get("/api/profit")).json()["points"]
        assert curve[-1]["profit_micro"] == found["profit_micro"]
        assert len(curve) > 50
        times = [int(point["at_ns"]) for point in curve]
        assert times == sorted(set(times))

        positions = (await client.get("/api/positions")).json()
        assert sum(int(one["cost_micro"]) for one in positions) == cost
        assert sum(int(one["value_micro"]) for one in positions) == value


async def test_big_integers_and_token_ids_travel_as_text(postgres_dsn: str) -> None:
    await recorded_story(postgres_dsn)
    async with gateway(postgres_dsn) as (_, client):
        position = (await client.get("/api/positions")).json()[0]
        assert position["token_id"] in story.YES_TOKENS
        for name, value in position.items():
            if name.endswith(("_micro", "_ns")):
                assert isinstance(value, str), name
                int(value)


async def test_a_position_is_priced_by_a_trade_of_the_other_token(postgres_dsn: str) -> None:
    told = await recorded_story(postgres_dsn)
    market = next(iter(told.desk.held))
    printed = story.market_pb2.TradePrinted(
        condition_id=story.MARKETS[market],
        token_id=story.NO_TOKENS[market],
        price_micro=250_000,
        size_micro=story.MICRO,
        print_id="the other side",
    )
    told.desk.event_ns += story.HOUR_NS
    await told.desk.say("market.data", printed, "feeds")
    await told.catch_up()
    async with gateway(postgres_dsn) as (_, client):
        positions = (await client.get("/api/positions")).json()
        held = [one for one in positions if one["condition_id"] == story.MARKETS[market]]
        assert {one["mark_micro"] for one in held} == {"750000"}


async def test_a_rejection_shows_the_rules_of_every_agent_that_had_a_say(
    postgres_dsn: str,
) -> None:
    await recorded_story(postgres_dsn)
    async with gateway(postgres_dsn) as (_, client):
        query = {"outcome": "rejected", "limit": 50}
        decisions = (await client.get("/api/decisions", params=query)).json()["decisions"]
        assert len(decisions) == 7
        for one in decisions:
            failed = [reason for reason in one["reasons"] if not reason["passed"]]
            assert [(reason["by"], reason["rule"]) for reason in failed] == [
                ("risk", one["failed_rule"])
            ]
            assert {"orchestrator", "risk"} == {reason["by"] for reason in one["reasons"]}
        limit = next(one for one in decisions if one["failed_rule"] == "total-limit")
        reason = next(one for one in limit["reasons"] if not one["passed"])
        assert (reason["value"], reason["limit"], reason["unit"]) == (
            "2140000000",
            "2000000000",
            "micro_usd",
        )
        counts = (await client.get("/api/rejections")).json()
        assert {one["rule"]: one["count"] for one in counts} == {"halted": 4, "total-limit": 3}


async def test_pages_of_decisions_meet_every_decision_once(postgres_dsn: str) -> None:
    await recorded_story(postgres_dsn)
    async with gateway(postgres_dsn) as (_, client):
        whole = (await client.get("/api/decisions", params={"limit": 200})).json()
        assert whole["next"] == ""
        found, before = [], ""
        while True:
            query = {"limit": "7", "before": before}
            page = (await client.get("/api/decisions", params=query)).json()
            found += [one["id"] for one in page["decisions"]]
            before = page["next"]
            if not before:
                break
        assert found == [one["id"] for one in whole["decisions"]]
        assert len(found) == len(set(found)) == 34


async def test_decisions_are_found_by_wallet_market_and_outcome(postgres_dsn: str) -> None:
    told = await recorded_story(postgres_dsn)
    wallet, market = told.last.traded.wallet, told.last.traded.condition_id
    async with gateway(postgres_dsn) as (_, client):
        query = {"wallet": wallet, "market": market, "outcome": "approved"}
        found = (await client.get("/api/decisions", params=query)).json()["decisions"]
        assert told.last.decision.meta.id in {one["id"] for one in found}
        assert {(one["leader"], one["condition_id"], one["outcome"]) for one in found} == {
            (wallet, market, "approved")
        }
        query["wallet"] = "0x" + "9" * 40
        nobody = (await client.get("/api/decisions", params=query)).json()["decisions"]
        assert nobody == []


async def test_any_id_of_a_chain_leads_to_the_whole_of_it(postgres_dsn: str) -> None:
    told = await recorded_story(postgres_dsn)
    last = told.last
    ids = [
        last.decision.meta.id,
        last.order.order_id,
        last.order.approval_id,
        last.order.proposal_id,
        last.traded.meta.id,
        last.order.order_id[:40],
    ]
    async with gateway(postgres_dsn) as (_, client):
        chains = [(await client.get(f"/api/why/{one}")).json() for one in ids]
    assert {chain["id"] for chain in chains} == set(ids[:-1])
    steps = chains[0]["steps"]
    assert all(chain["steps"] == steps for chain in chains)
    types = [step["type"] for step in steps]
    assert types[0] == "WalletTraded"
    # The venue's news of the fill was not caused by us, and belongs to the order all the same.
    for name in ("TradeProposal", "ApprovedTrade", "OrderAnnounced", "VenueTradeSeen"):
        assert types.count(name) == 1, name
    assert types.index("VenueTradeSeen") < types.index("OrderMatched") < types.index("OrderClosed")
    assert types.count("ProfitAttributed") == 1
    seen: set[str] = set()
    for step in steps:
        assert not step["cause"] or step["cause"] in seen
        seen.add(step["id"])


async def test_the_beginning_of_several_ids_is_not_guessed(postgres_dsn: str) -> None:
    desk = await story.new_desk()
    for end in ("a", "b"):
        printed = story.market_pb2.TradePrinted(condition_id="m", token_id="t")
        printed.meta.id = f"{'7' * 31}{end}"
        await desk.say("market.data", printed, "feeds")
    await story.record(desk, postgres_dsn)
    async with gateway(postgres_dsn) as (_, client):
        answer = await client.get("/api/why/77777777")
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "ambiguous_id"
        assert (await client.get(f"/api/why/{'7' * 31}b")).status_code == 200


async def test_the_report_counts_what_happened(postgres_dsn: str) -> None:
    await recorded_story(postgres_dsn)
    async with gateway(postgres_dsn) as (_, client):
        report = (await client.get("/api/report")).json()
        assert report["proposals"] == 17
        assert report["approvals"] == report["fills"] == 10
        assert report["orders"] == {"filled": 10}
        assert (report["whales_found"], report["whales_pruned"]) == (4, 1)
        total = sum(int(one["profit_micro"]) for one in report["leaders"])
        assert str(total) == report["summary"]["realized_after_fees_micro"]
        for one in report["leaders"]:
            assert int(one["lower_micro"]) <= int(one["profit_micro"]) <= int(one["upper_micro"])
        assert {"ApprovedTrade", "OrderAnnounced"} <= {
            name for hop in report["latency"] for name in (hop["cause"], hop["effect"])
        }


async def test_agents_dead_letters_whales_and_orders_are_told(postgres_dsn: str) -> None:
    await recorded_story(postgres_dsn)
    async with gateway(postgres_dsn) as (_, client):
        agents = {one["agent"]: one for one in (await client.get("/api/agents")).json()}
        assert agents["execution"]["open_circuits"] == ["venue"]
        assert agents["risk"]["status"] == "running"
        letter = (await client.get("/api/dead-letters")).json()[0]
        assert (letter["topic"], letter["offset"], letter["bytes"]) == ("wallet.trades", "41", 8)
        whales = (await client.get("/api/whales")).json()
        assert [one["is_whale"] for one in whales] == [True, True, True, False, False]
        assert whales[0]["reasons"][0]["by"] == "discovery"
        orders = (await client.get("/api/orders")).json()
        assert {one["status"] for one in orders} == {"filled"}
        assert all(one["filled_micro"] == one["size_micro"] for one in orders)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/decisions?limit=0", 422),
        ("/api/decisions?limit=10000", 422),
        ("/api/decisions?outcome=perhaps", 422),
        ("/api/decisions?wallet=bob", 422),
        ("/api/decisions?before=nonsense", 422),
        ("/api/decisions?before=1.2", 422),
        ("/api/decisions?before=%00.1.x", 422),
        ("/api/decisions?market=%27%3B--", 422),
        ("/api/decisions/nobody", 404),
        ("/api/why/nobody", 404),
        ("/api/why/%27%20or%201=1", 422),
        ("/api/profit?points=1", 422),
        ("/api/profit?points=1001", 422),
        ("/api/profit?points=many", 422),
        ("/api/control/explode", 404),
        ("/api/nothing", 404),
    ],
)
async def test_a_bad_question_is_refused_in_json(postgres_dsn: str, path: str, status: int) -> None:
    desk = await story.new_desk()
    await story.record(desk, postgres_dsn)
    async with gateway(postgres_dsn) as (_, client):
        answer = await client.get(path)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["code"]
    assert error["message"]


async def test_an_empty_desk_is_no_error(postgres_dsn: str) -> None:
    await story.record(await story.new_desk(), postgres_dsn)
    async with gateway(postgres_dsn) as (_, client):
        summary = (await client.get("/api/summary")).json()
        assert summary["as_of_ns"] == "0"
        assert (await client.get("/api/profit")).json()["points"] == []
        assert (await client.get("/api/report")).json()["leaders"] == []
        for path in ("whales", "orders", "positions", "agents", "latency", "alerts"):
            assert (await client.get(f"/api/{path}")).json() == []


async def test_a_curve_of_one_point_is_a_curve(postgres_dsn: str) -> None:
    desk = await story.new_desk()
    await story.value(desk)
    await story.record(desk, postgres_dsn)
    async with gateway(postgres_dsn) as (_, client):
        points = (await client.get("/api/profit")).json()["points"]
    assert [point["profit_micro"] for point in points] == ["0"]


async def test_valuations_count_in_the_order_of_the_books(postgres_dsn: str) -> None:
    told = await recorded_story(postgres_dsn)
    desk = told.desk
    latest_ns = desk.event_ns = desk.event_ns + 5 * story.HOUR_NS
    # A resolution is booked, then fills of an earlier moment, then more of the same moment.
    for hours in (0, -3, -2, -2, -4, 0, 0, -1):
        desk.event_ns = latest_ns + hours * story.HOUR_NS
        desk.realized += 10 * story.MICRO
        await story.value(desk)
    await told.catch_up()
    async with gateway(postgres_dsn) as (_, client):
        summary = (await client.get("/api/summary")).json()
        points = (await client.get("/api/profit")).json()["points"]
    assert points[-1]["profit_micro"] == summary["profit_micro"]
    assert points[-1]["at_ns"] == str(latest_ns)
    times = [int(point["at_ns"]) for point in points]
    assert times == sorted(set(times))
    assert latest_ns - 2 * story.HOUR_NS not in times


async def test_before_the_recorder_has_run_answers_say_so(postgres_dsn: str) -> None:
    async with gateway(postgres_dsn) as (_, client):
        answer = await client.get("/api/summary")
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "store_not_ready"
        assert (await client.get("/readyz")).status_code == 200


async def test_without_a_store_it_lives_but_is_not_ready() -> None:
    async with gateway("postgresql://nobody@127.0.0.1:1/none") as (_, client):
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503
        for path in ("/api/summary", "/api/why/abcdef"):
            answer = await client.get(path)
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "store_unavailable"
            assert answer.headers["retry-after"]


async def test_metrics_count_the_answers(postgres_dsn: str) -> None:
    async with gateway(postgres_dsn) as (_, client):
        await client.get("/livez")
        text = (await client.get("/metrics")).text
    assert 'whaletrader_gateway_requests_total{method="GET",status="200"}' in text


async def test_the_page_is_whole_and_comes_from_here_alone(postgres_dsn: str) -> None:
    async with gateway(postgres_dsn) as (_, client):
        page = await client.get("/")
        assert "script-src 'self'" in page.headers["content-security-policy"]
        names = ["js/main.js", "js/chart.js", "css/base.css", "css/panels.css", "favicon.svg"]
        for name in names:
            found: httpx.Response = await client.get(f"/{name}")
            assert found.status_code == 200, name
            addresses = found.text.replace("http://www.w3.org/2000/svg", "")
            assert "http://" not in addresses
            assert "https://" not in addresses
            assert "innerHTML" not in found.text
