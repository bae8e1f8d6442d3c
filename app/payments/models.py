"""Tables of the payments room: names of every guard, plain rows through the ORM.

Payments, their operations and steps are guarded by conditions, so they are written by
raw SQL in `moves.py` and `ops.py` and have no model.
"""

from tortoise import fields
from tortoise.models import Model

CONSTRAINTS = (
    "payment_state",
    "payment_rail",
    "payment_dest_kind",
    "payment_amount",
    "payment_fee",
    "payment_failed_answers",
    "payment_settled",
    "payment_lease",
    "payment_op_kind",
    "payment_op_outcome",
    "payment_op_resolved",
    "payment_step_no",
    "payment_step_status",
    "payment_step_source",
    "beneficiary_scheme",
    "beneficiary_check_match",
    "beneficiary_limit",
    "payment_by_customer",
    "payment_open",
    "payment_by_payee",
    "payment_by_state",
    "payment_op_attempt",
    "payment_op_once",
    "payment_op_unsure",
    "beneficiary_address",
    "inbound_event_tries",
    "inbound_event_once",
    "inbound_event_due",
    "payment_payload_fixed",
    "payment_stays",
    "payment_end_is_final",
    "payment_step_append_only",
    "risk_decision_action",
    "risk_decision_score",
    "risk_decision_unmeasured",
    "risk_decision_once",
    "risk_decision_append_only",
    "limit_rule_scope",
    "limit_rule_period",
    "limit_rule_max",
    "limit_rule_choice",
    "limit_rule_once",
    "limit_rule_chosen",
    "limit_use_reserved",
    "limit_use_used",
    "limit_use_changed",
    "limit_use_open",
    "limit_reservation_amount",
    "limit_reservation_counted",
    "limit_reservation_fixed",
)


class BeneficiaryRow(Model):
    """A saved payee; the address is sealed, its hash finds it again."""

    id = fields.UUIDField(primary_key=True)
    customer_id = fields.UUIDField()
    nickname = fields.CharField(max_length=40)
    name = fields.CharField(max_length=140)
    scheme = fields.CharField(max_length=16)
    address_enc = fields.BinaryField()
    address_hash = fields.BinaryField()
    masked = fields.CharField(max_length=40)
    bank_code = fields.CharField(max_length=20, null=True)
    bank_name = fields.CharField(max_length=80, null=True)
    check_match = fields.CharField(max_length=12, null=True)
    check_name = fields.CharField(max_length=140, null=True)
    checked_at = fields.DatetimeField(null=True)
    cooling_until = fields.DatetimeField()
    favourite = fields.BooleanField(default=False)
    last_paid_at = fields.DatetimeField(null=True)
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "beneficiary"
