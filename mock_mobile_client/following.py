"""What a screen follows while it is open: one payment to its end, the bank's health."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Self

from mock_mobile_client import documents
from mock_mobile_client.enums import FactorKind, PaymentStatus
from mock_mobile_client.errors import NotSeen, SocketClosed, Unreachable
from mock_mobile_client.handset import Handset, Level
from mock_mobile_client.live import operation_error
from mock_mobile_client.payments import FINAL_S, Order, Payments
from mock_mobile_client.values import JsonObject, PaymentValue
from mock_mobile_client.wire import Frame, Wire

ONLY = "1"
COMPONENTS_S = 5.0


@dataclass(frozen=True, slots=True)
class ComponentValue:
    """One part of the bank as it is, and since when."""

    name: str
    state: str
    since: str

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read a row of serviceStatus."""
        return cls(node["component"], node["state"], node["since"])


async def payment_states(
    handset: Handset, payment_id: str
) -> AsyncGenerator[PaymentValue, None]:
    """The payment now, then after each change; ends when its status is final.

    Raises:
        Refused: the bank said no to the operation.
        SocketClosed: no socket, or the line ended first.
        Unreachable: no socket at all.
    """
    wire = await Wire.open(
        handset.socket_door, handset.init_payload(), by_id=handset.setting.by_id
    )
    asked = {"paymentId": payment_id}
    async with aclosing(_answers(wire, "payment_progress", asked)) as answers:
        async for answer in answers:
            yield PaymentValue.read(answer["paymentProgress"])


async def components(handset: Handset) -> AsyncGenerator[ComponentValue, None]:
    """Every component at once, then each that changes; nobody need be signed in.

    Raises:
        SocketClosed: the line ended.
    """
    by_id = handset.setting.by_id
    wire = await Wire.open(handset.socket_door, {}, by_id=by_id)
    async with aclosing(_answers(wire, "service_status_changed", {})) as answers:
        async for answer in answers:
            yield ComponentValue.read(answer["serviceStatusChanged"])


async def components_now(handset: Handset) -> list[ComponentValue]:
    """Every component, asked once over HTTP."""
    answer = await handset.call("service_status", {}, Level.ANONYMOUS)
    return [ComponentValue.read(row) for row in answer["serviceStatus"]]


async def components_told(handset: Handset, count: int) -> list[ComponentValue]:
    """The first so many components that the open stream tells.

    Raises:
        NotSeen: fewer came within five seconds.
    """
    told: list[ComponentValue] = []
    try:
        async with asyncio.timeout(COMPONENTS_S), aclosing(components(handset)) as all_:
            async for one in all_:
                told.append(one)
                if len(told) == count:
                    break
    except TimeoutError as error:
        raise NotSeen(f"{len(told)} of {count} components were told") from error
    return told


async def settle_watched(
    payments: Payments,
    handset: Handset,
    order: Order,
    show: Callable[[PaymentValue], None],
    approve: FactorKind = FactorKind.MPIN,
) -> PaymentValue:
    """Pay with the confirm screen open: every state is shown as it comes.

    Where the line breaks the phone asks instead, as it does without one. What the bank
    looks at first is not waited for.

    Args:
        payments: Of the phone.
        handset: The phone.
        order: What is to be paid.
        show: Called with every state, the one after creation first.
        approve: What the person approves with.
    """
    payment = await payments.create(order)
    waits = payment.status is PaymentStatus.AWAITING_AUTHORISATION
    screen = payment_states(handset, payment.id)
    async with aclosing(screen):
        told = await _next(screen)
        if told is not None:
            payment = replace(told, replayed=payment.replayed)
        show(payment)
        if waits:
            approved = await payments.approve(order, payment, approve)
            payment = payment if told else approved
        held = payment.status is PaymentStatus.HELD_FOR_REVIEW
        while told is not None and not payment.status.final and not held:
            told = await _next(screen)
            if told is not None:
                payment = told
                show(payment)
    return payment if held else await payments.final(payment)


async def _next(screen: AsyncGenerator[PaymentValue, None]) -> PaymentValue | None:
    """The next state; None when the stream ended, broke, or was silent for long."""
    try:
        async with asyncio.timeout(FINAL_S):
            return await anext(screen, None)
    except (SocketClosed, Unreachable, TimeoutError):
        return None


async def _answers(
    wire: Wire, operation: str, variables: JsonObject
) -> AsyncGenerator[JsonObject, None]:
    """What one subscription tells, until the bank completes it."""
    try:
        await wire.subscribe(ONLY, documents.load(operation), variables)
        async for frame in wire.frames():
            if frame.kind == "complete":
                return
            if frame.kind == "error" or not isinstance(frame.payload, dict):
                raise operation_error(frame)
            if frame.payload.get("errors"):
                raise operation_error(Frame("error", ONLY, frame.payload["errors"]))
            yield frame.payload["data"]
    finally:
        await wire.close()
