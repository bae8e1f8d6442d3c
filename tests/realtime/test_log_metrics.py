"""What the log and the hub count: events by type, their lag, reads for slow readers."""

from contextlib import aclosing

from app import telemetry
from app.clock import StoppedClock
from app.ids import CustomerId
from app.realtime.watch import TAIL_MAX
from app.settings import Settings
from tests.realtime.patience import until
from tests.realtime.world import balance_fact, next_of, numbers, record, running_hub


def figure(name: str, **labels: str) -> float:
    return telemetry.registry.get_sample_value(f"sixpence_{name}", labels) or 0.0


async def test_a_burst_is_counted_and_the_reader_who_fell_behind_it_too(
    ours: Settings, clock: StoppedClock
) -> None:
    customer = CustomerId.new()
    recorded = figure("events_recorded_total", type="BalanceChanged")
    lags, slow = figure("hub_lag_seconds_count"), figure("slow_replays_total")

    async with (
        running_hub(ours, clock) as hub,
        aclosing(hub.subscribe(customer)) as stream,
    ):
        await next_of(stream)
        await record(*(balance_fact(customer) for _ in range(TAIL_MAX + 6)))
        await until(lambda: hub._watches[customer].last == TAIL_MAX + 6)  # noqa: SLF001  -- the tail is inside
        items = [await next_of(stream) for _ in range(TAIL_MAX + 6)]

    assert numbers(items) == list(range(1, TAIL_MAX + 7))
    assert figure("events_recorded_total", type="BalanceChanged") - recorded == 70
    assert figure("hub_lag_seconds_count") > lags
    assert figure("slow_replays_total") == slow + 1
