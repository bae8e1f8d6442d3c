"""Reads of the payments room, each one call for all objects of an answer."""

import asyncio
from collections.abc import Mapping, Sequence

from app.accounts.row import Transaction
from app.ids import AccountId, BeneficiaryId, PaymentId
from app.payments import beneficiary as payees
from app.payments import payment as payments
from app.payments.limits import PayeeLimits
from app.schema.accounts.batches import ACCOUNT
from app.schema.context import Context
from app.schema.loaders import Batch


async def _payments(
    context: Context, keys: Sequence[PaymentId]
) -> Mapping[PaymentId, payments.Payment]:
    return await context.bank.transfers.by_ids(context.actor, keys)


async def _timelines(
    context: Context, keys: Sequence[PaymentId]
) -> Mapping[PaymentId, list[payments.PaymentStep]]:
    return await context.bank.transfers.timelines(keys)


async def _beneficiaries(
    context: Context, keys: Sequence[BeneficiaryId]
) -> Mapping[BeneficiaryId, payees.Beneficiary]:
    return await context.bank.payees.by_ids(context.actor, keys)


async def _payee_limits(
    context: Context, keys: Sequence[BeneficiaryId]
) -> Mapping[BeneficiaryId, PayeeLimits]:
    return await context.bank.limits.of_payees(context.actor, keys)


RowKey = tuple[PaymentId, AccountId]


async def _rows(
    context: Context, keys: Sequence[RowKey]
) -> Mapping[RowKey, Transaction]:
    accounts = await asyncio.gather(*(ACCOUNT.find(context, key[1]) for key in keys))
    # One that the core gave to another client shows no rows.
    paying = {
        key[0]: account
        for key, account in zip(keys, accounts, strict=True)
        if account is not None
    }
    found = await context.bank.transactions.of_payments(paying)
    return {key: found[key[0]] for key in keys if key[0] in found}


async def _noted(
    context: Context, keys: Sequence[str]
) -> Mapping[str, tuple[PaymentId, ...]]:
    return {
        text: await context.bank.transfers.noted(context.actor, text) for text in keys
    }


PAYMENT = Batch("payment", _payments)
NOTED = Batch("noted payments", _noted)
ROW = Batch("rows of payments", _rows)
TIMELINE = Batch("timeline", _timelines)
BENEFICIARY = Batch("beneficiary", _beneficiaries)
PAYEE_LIMITS = Batch("payee limits", _payee_limits)
