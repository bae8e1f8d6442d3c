-- Every trigger and every index of the bank on SQLite. Statements are parted by a line `--`.
-- Lines that begin with `-- ` are remarks. Off before an upgrade, on after it (app/upgrade.py).
-- == foundation ==
CREATE UNIQUE INDEX IF NOT EXISTS audit_entry_id ON audit_entry (id)
--
CREATE UNIQUE INDEX IF NOT EXISTS event_dedupe ON customer_event (customer_id, dedupe_key)
WHERE dedupe_key IS NOT NULL
--
CREATE INDEX IF NOT EXISTS event_day ON customer_event (day)
--
CREATE INDEX IF NOT EXISTS event_work_due ON event_work (consumer, due_at)
--
CREATE UNIQUE INDEX IF NOT EXISTS event_work_once ON event_work (consumer, customer_id, seq)
--
DROP TRIGGER IF EXISTS audit_append_only
--
CREATE TRIGGER audit_append_only BEFORE UPDATE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'audit_append_only'); END
--
DROP TRIGGER IF EXISTS audit_append_only_delete
--
CREATE TRIGGER audit_append_only_delete BEFORE DELETE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'audit_append_only'); END
--
DROP TRIGGER IF EXISTS audit_head_forward
--
CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head
WHEN NEW.seq < OLD.seq OR NEW.chain <> OLD.chain
BEGIN SELECT RAISE(ABORT, 'audit_head_forward'); END
--
DROP TRIGGER IF EXISTS audit_head_stays
--
CREATE TRIGGER audit_head_stays BEFORE DELETE ON audit_head
BEGIN SELECT RAISE(ABORT, 'audit_head_forward'); END
--
CREATE INDEX IF NOT EXISTS audit_sealed_head_hour
ON audit_sealed_head (hour, chain)
--
DROP TRIGGER IF EXISTS audit_seal_append_only
--
CREATE TRIGGER audit_seal_append_only BEFORE UPDATE ON audit_seal
BEGIN SELECT RAISE(ABORT, 'audit_seal_append_only'); END
--
DROP TRIGGER IF EXISTS audit_seal_append_only_delete
--
CREATE TRIGGER audit_seal_append_only_delete BEFORE DELETE ON audit_seal
BEGIN SELECT RAISE(ABORT, 'audit_seal_append_only'); END
--
DROP TRIGGER IF EXISTS audit_sealed_head_append_only
--
CREATE TRIGGER audit_sealed_head_append_only BEFORE UPDATE ON audit_sealed_head
BEGIN SELECT RAISE(ABORT, 'audit_sealed_head_append_only'); END
--
DROP TRIGGER IF EXISTS audit_sealed_head_append_only_delete
--
CREATE TRIGGER audit_sealed_head_append_only_delete BEFORE DELETE ON audit_sealed_head
BEGIN SELECT RAISE(ABORT, 'audit_sealed_head_append_only'); END
--
DROP TRIGGER IF EXISTS event_append_only
--
CREATE TRIGGER event_append_only BEFORE UPDATE ON customer_event
BEGIN SELECT RAISE(ABORT, 'event_append_only'); END
--
DROP TRIGGER IF EXISTS event_append_only_delete
--
CREATE TRIGGER event_append_only_delete BEFORE DELETE ON customer_event
WHEN NOT EXISTS (SELECT 1 FROM event_floor WHERE OLD.day < event_floor.day)
BEGIN SELECT RAISE(ABORT, 'event_append_only'); END
--
DROP TRIGGER IF EXISTS event_floor_rises
--
CREATE TRIGGER event_floor_rises BEFORE UPDATE ON event_floor
WHEN NEW.day < OLD.day
BEGIN SELECT RAISE(ABORT, 'event_floor_rises'); END
--
DROP TRIGGER IF EXISTS event_floor_stays
--
CREATE TRIGGER event_floor_stays BEFORE DELETE ON event_floor
BEGIN SELECT RAISE(ABORT, 'event_floor_stays'); END
--
DROP TRIGGER IF EXISTS stream_head_forward
--
CREATE TRIGGER stream_head_forward BEFORE UPDATE ON stream_head
WHEN NEW.epoch = OLD.epoch AND NEW.seq < OLD.seq
BEGIN SELECT RAISE(ABORT, 'stream_head_forward'); END
--
-- == ledger ==
CREATE UNIQUE INDEX IF NOT EXISTS ledger_code_once ON ledger_account (code)
WHERE code IS NOT NULL
--
CREATE INDEX IF NOT EXISTS ledger_owner ON ledger_account (owner_id)
--
CREATE UNIQUE INDEX IF NOT EXISTS posting_version_once
ON ledger_posting (account_id, version, phase)
--
CREATE UNIQUE INDEX IF NOT EXISTS journal_op_once ON ledger_journal (op_id)
--
CREATE UNIQUE INDEX IF NOT EXISTS journal_reversed_once ON ledger_journal (reverses_id)
WHERE reverses_id IS NOT NULL
--
CREATE UNIQUE INDEX IF NOT EXISTS hold_resolved_once ON ledger_journal (hold_id)
WHERE kind IN ('CAPTURE', 'RELEASE')
--
CREATE INDEX IF NOT EXISTS hold_open ON ledger_hold (account_id) WHERE state = 'OPEN'
--
CREATE INDEX IF NOT EXISTS journal_at ON ledger_journal (at)
--
CREATE INDEX IF NOT EXISTS line_newest ON ledger_line (account_id, created_at DESC, id DESC)
--
CREATE INDEX IF NOT EXISTS line_payment ON ledger_line (payment_ref)
--
CREATE INDEX IF NOT EXISTS line_journal ON ledger_line (journal_id)
--
DROP TRIGGER IF EXISTS posting_append_only
--
CREATE TRIGGER posting_append_only BEFORE UPDATE ON ledger_posting
BEGIN SELECT RAISE(ABORT, 'posting_append_only'); END
--
DROP TRIGGER IF EXISTS posting_append_only_delete
--
CREATE TRIGGER posting_append_only_delete BEFORE DELETE ON ledger_posting
BEGIN SELECT RAISE(ABORT, 'posting_append_only'); END
--
DROP TRIGGER IF EXISTS journal_append_only
--
CREATE TRIGGER journal_append_only BEFORE UPDATE ON ledger_journal
BEGIN SELECT RAISE(ABORT, 'journal_append_only'); END
--
DROP TRIGGER IF EXISTS journal_append_only_delete
--
CREATE TRIGGER journal_append_only_delete BEFORE DELETE ON ledger_journal
BEGIN SELECT RAISE(ABORT, 'journal_append_only'); END
--
DROP TRIGGER IF EXISTS posting_before_seal
--
CREATE TRIGGER posting_before_seal BEFORE INSERT ON ledger_posting
WHEN EXISTS (SELECT 1 FROM ledger_journal WHERE id = NEW.journal_id)
BEGIN SELECT RAISE(ABORT, 'posting_before_seal'); END
--
DROP TRIGGER IF EXISTS journal_seal
--
CREATE TRIGGER journal_seal BEFORE INSERT ON ledger_journal
WHEN NOT EXISTS (
  SELECT 1 FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id
  WHERE p.journal_id = NEW.id GROUP BY p.journal_id
  HAVING count(*) >= 2 AND count(DISTINCT a.currency) = 1 AND sum(p.amount) = 0
    AND sum(CASE WHEN p.phase = 'COMMITTED' THEN p.amount ELSE 0 END) = 0
)
BEGIN SELECT RAISE(ABORT, 'journal_seal'); END
--
DROP TRIGGER IF EXISTS line_moves
--
CREATE TRIGGER line_moves BEFORE UPDATE ON ledger_line
WHEN NOT (
  NEW.id = OLD.id AND NEW.account_id = OLD.account_id AND NEW.op_id = OLD.op_id
  AND NEW.direction = OLD.direction AND NEW.created_at = OLD.created_at
  AND (
    (OLD.status = 'PENDING' AND NEW.status = 'BOOKED' AND NEW.amount <= OLD.amount)
    OR (OLD.status = 'PENDING' AND NEW.status = 'DECLINED' AND NEW.amount = OLD.amount)
    OR (OLD.status = 'BOOKED' AND NEW.status = 'REVERSED' AND NEW.amount = OLD.amount)
  )
)
BEGIN SELECT RAISE(ABORT, 'line_moves'); END
--
DROP TRIGGER IF EXISTS line_stays
--
CREATE TRIGGER line_stays BEFORE DELETE ON ledger_line
BEGIN SELECT RAISE(ABORT, 'line_stays'); END
--
-- == accounts ==
CREATE UNIQUE INDEX IF NOT EXISTS account_core_once ON account (core, core_ref)
--
CREATE UNIQUE INDEX IF NOT EXISTS account_number_once ON account (key_id, number_lookup)
--
CREATE INDEX IF NOT EXISTS account_customer ON account (customer_id)
--
CREATE UNIQUE INDEX IF NOT EXISTS mirror_transaction_once ON mirror_transaction (id)
--
CREATE INDEX IF NOT EXISTS mirror_transaction_newest
ON mirror_transaction (account_id, created_at DESC, id DESC)
--
CREATE INDEX IF NOT EXISTS mirror_transaction_open ON mirror_transaction (account_id)
WHERE status = 'PENDING'
--
CREATE INDEX IF NOT EXISTS mirror_transaction_payment
ON mirror_transaction (payment_ref) WHERE payment_ref IS NOT NULL
--
CREATE INDEX IF NOT EXISTS mirror_cursor_polled ON mirror_cursor (polled_at)
--
CREATE INDEX IF NOT EXISTS mirror_cursor_used ON mirror_cursor (used_on, polled_at)
--
CREATE INDEX IF NOT EXISTS mirror_cursor_dirty ON mirror_cursor (dirty_at)
WHERE dirty_at IS NOT NULL
--
CREATE INDEX IF NOT EXISTS mirror_cursor_history ON mirror_cursor (account_id)
WHERE place IS NOT NULL
--
CREATE INDEX IF NOT EXISTS mirror_words_journal ON mirror_words (journal)
WHERE journal IS NOT NULL
--
CREATE INDEX IF NOT EXISTS mirror_words_idle ON mirror_words (at)
WHERE journal IS NULL AND held IS NULL
--
CREATE INDEX IF NOT EXISTS mirror_words_held ON mirror_words (src, held)
WHERE held IS NOT NULL
--
-- == auth ==
CREATE UNIQUE INDEX IF NOT EXISTS customer_handle ON customer (handle)
--
CREATE UNIQUE INDEX IF NOT EXISTS customer_number ON customer (number_lookup, number_key_id)
--
CREATE INDEX IF NOT EXISTS customer_phone ON customer (phone_lookup, phone_key_id)
--
CREATE UNIQUE INDEX IF NOT EXISTS device_jkt ON device (jkt)
--
CREATE UNIQUE INDEX IF NOT EXISTS device_bio_jkt ON device (bio_jkt)
WHERE bio_jkt IS NOT NULL
--
CREATE INDEX IF NOT EXISTS device_customer ON device (customer_id) WHERE state <> 'REVOKED'
--
CREATE UNIQUE INDEX IF NOT EXISTS activation_live ON activation_code (customer_id)
WHERE used_at IS NULL
--
CREATE UNIQUE INDEX IF NOT EXISTS otp_live ON otp_code (enrolment_id) WHERE used_at IS NULL
--
CREATE INDEX IF NOT EXISTS sms_due ON sms_message (due_at) WHERE sent_at IS NULL
--
CREATE UNIQUE INDEX IF NOT EXISTS enrolment_nonce ON enrolment (nonce_hash)
WHERE nonce_hash IS NOT NULL
--
CREATE UNIQUE INDEX IF NOT EXISTS challenge_nonce ON challenge (nonce)
--
CREATE UNIQUE INDEX IF NOT EXISTS challenge_subject ON challenge (subject)
WHERE subject IS NOT NULL AND state = 'PENDING'
--
CREATE UNIQUE INDEX IF NOT EXISTS challenge_intent ON challenge (session_id, intent_hash)
WHERE intent_hash IS NOT NULL AND state IN ('PENDING', 'APPROVED')
--
CREATE INDEX IF NOT EXISTS challenge_device ON challenge (device_id)
WHERE state IN ('PENDING', 'APPROVED')
--
CREATE INDEX IF NOT EXISTS challenge_expiry ON challenge (expires_at)
--
CREATE INDEX IF NOT EXISTS challenge_approval ON challenge (customer_id, intent_hash)
WHERE purpose = 'login-approval'
--
CREATE INDEX IF NOT EXISTS enrolment_customer ON enrolment (customer_id)
WHERE customer_id IS NOT NULL
--
CREATE INDEX IF NOT EXISTS challenge_outcome ON challenge (session_id)
WHERE outcome_sealed IS NOT NULL
--
CREATE UNIQUE INDEX IF NOT EXISTS session_live ON session (device_id) WHERE ended_at IS NULL
--
CREATE INDEX IF NOT EXISTS session_ended ON session (ended_at) WHERE ended_at IS NOT NULL
--
CREATE INDEX IF NOT EXISTS session_customer ON session (customer_id, created_at DESC)
--
CREATE UNIQUE INDEX IF NOT EXISTS recovery_mac ON recovery_code (customer_id, mac)
--
CREATE UNIQUE INDEX IF NOT EXISTS signing_key_current ON signing_key (state)
WHERE state = 'CURRENT'
--
DROP TRIGGER IF EXISTS device_revoked_is_final
--
CREATE TRIGGER device_revoked_is_final BEFORE UPDATE ON device
WHEN OLD.state = 'REVOKED' AND (NEW.state <> 'REVOKED' OR NEW.jkt <> OLD.jkt)
BEGIN SELECT RAISE(ABORT, 'device_revoked_is_final'); END
--
DROP TRIGGER IF EXISTS device_stays
--
CREATE TRIGGER device_stays BEFORE DELETE ON device
BEGIN SELECT RAISE(ABORT, 'device_stays'); END
--
DROP TRIGGER IF EXISTS session_end_is_final
--
CREATE TRIGGER session_end_is_final BEFORE UPDATE ON session
WHEN OLD.ended_at IS NOT NULL AND NEW.ended_at IS NOT OLD.ended_at
BEGIN SELECT RAISE(ABORT, 'session_end_is_final'); END
--
-- == passkeys ==
CREATE UNIQUE INDEX IF NOT EXISTS passkey_credential ON passkey (credential_id)
--
CREATE INDEX IF NOT EXISTS passkey_customer ON passkey (customer_id)
--
CREATE INDEX IF NOT EXISTS passkey_device ON passkey (device_id)
--
CREATE UNIQUE INDEX IF NOT EXISTS passkey_registration_pending
ON passkey_registration (device_id) WHERE state = 'PENDING'
--
CREATE INDEX IF NOT EXISTS passkey_registration_expiry ON passkey_registration (expires_at)
--
DROP TRIGGER IF EXISTS passkey_key_fixed
--
CREATE TRIGGER passkey_key_fixed BEFORE UPDATE ON passkey
WHEN NEW.credential_id <> OLD.credential_id OR NEW.cose_key <> OLD.cose_key
  OR NEW.customer_id <> OLD.customer_id OR NEW.be <> OLD.be
BEGIN SELECT RAISE(ABORT, 'passkey_key_fixed'); END
--
DROP TRIGGER IF EXISTS passkey_registration_once
--
CREATE TRIGGER passkey_registration_once BEFORE UPDATE ON passkey_registration
WHEN OLD.state = 'FAILED' OR (OLD.state = 'CONSUMED' AND NEW.state = 'PENDING')
BEGIN SELECT RAISE(ABORT, 'passkey_registration_once'); END
--
-- == payments ==
CREATE INDEX IF NOT EXISTS payment_by_customer ON payment (customer_id, created_at DESC, id DESC)
--
CREATE INDEX IF NOT EXISTS payment_open ON payment (lease_until, not_before)
WHERE state NOT IN ('SETTLED', 'DECLINED', 'FAILED', 'REVERSED', 'CANCELLED', 'EXPIRED')
--
CREATE INDEX IF NOT EXISTS payment_by_state ON payment (customer_id, state, created_at DESC, id DESC)
--
CREATE INDEX IF NOT EXISTS payment_by_payee ON payment (payee_key, customer_id)
--
CREATE UNIQUE INDEX IF NOT EXISTS payment_op_attempt ON payment_op (payment_id, kind, attempt)
--
CREATE UNIQUE INDEX IF NOT EXISTS payment_op_once ON payment_op (payment_id, kind)
WHERE outcome <> 'REJECTED'
--
CREATE INDEX IF NOT EXISTS payment_op_unsure ON payment_op (next_ask_at)
WHERE outcome IN ('PENDING', 'UNKNOWN')
--
CREATE UNIQUE INDEX IF NOT EXISTS inbound_event_once ON inbound_event (provider, event_id)
--
CREATE INDEX IF NOT EXISTS inbound_event_due ON inbound_event (due_at) WHERE handled_at IS NULL
--
CREATE UNIQUE INDEX IF NOT EXISTS beneficiary_address ON beneficiary (customer_id, address_hash)
WHERE deleted_at IS NULL
--
DROP TRIGGER IF EXISTS payment_payload_fixed
--
CREATE TRIGGER payment_payload_fixed BEFORE UPDATE ON payment
WHEN NEW.id <> OLD.id
  OR NEW.customer_id <> OLD.customer_id
  OR NEW.from_account_id <> OLD.from_account_id
  OR NEW.rail <> OLD.rail
  OR NEW.dest_kind <> OLD.dest_kind
  OR NEW.dest_json <> OLD.dest_json
  OR NEW.payee_key <> OLD.payee_key
  OR NEW.amount <> OLD.amount
  OR NEW.currency <> OLD.currency
  OR NEW.fee <> OLD.fee
  OR NEW.created_at <> OLD.created_at
  OR NEW.reference IS NOT OLD.reference
  OR NEW.note IS NOT OLD.note
  OR NEW.idempotency_key IS NOT OLD.idempotency_key
  OR NEW.quote_json IS NOT OLD.quote_json
  OR NEW.schedule_id IS NOT OLD.schedule_id
  OR (OLD.state NOT IN ('HELD_FOR_REVIEW', 'AWAITING_AUTHORISATION') AND (
    NEW.payload_hash IS NOT OLD.payload_hash
    OR NEW.challenge_id IS NOT OLD.challenge_id
    OR NEW.device_id IS NOT OLD.device_id))
BEGIN SELECT RAISE(ABORT, 'payment_payload_fixed'); END
--
DROP TRIGGER IF EXISTS payment_stays
--
CREATE TRIGGER payment_stays BEFORE DELETE ON payment
BEGIN SELECT RAISE(ABORT, 'payment_payload_fixed'); END
--
DROP TRIGGER IF EXISTS payment_end_is_final
--
CREATE TRIGGER payment_end_is_final BEFORE UPDATE ON payment
WHEN OLD.state IN ('SETTLED', 'DECLINED', 'FAILED', 'REVERSED', 'CANCELLED', 'EXPIRED')
  AND NEW.state <> OLD.state AND NOT (OLD.state = 'SETTLED' AND NEW.state = 'REVERSED')
BEGIN SELECT RAISE(ABORT, 'payment_end_is_final'); END
--
DROP TRIGGER IF EXISTS payment_step_append_only
--
CREATE TRIGGER payment_step_append_only BEFORE UPDATE ON payment_step
BEGIN SELECT RAISE(ABORT, 'payment_step_append_only'); END
--
DROP TRIGGER IF EXISTS payment_step_append_only_delete
--
CREATE TRIGGER payment_step_append_only_delete BEFORE DELETE ON payment_step
BEGIN SELECT RAISE(ABORT, 'payment_step_append_only'); END
--
-- == risk ==
CREATE UNIQUE INDEX IF NOT EXISTS risk_decision_once ON risk_decision (payment_id)
--
DROP TRIGGER IF EXISTS risk_decision_append_only
--
CREATE TRIGGER risk_decision_append_only BEFORE UPDATE ON risk_decision
BEGIN SELECT RAISE(ABORT, 'risk_decision_append_only'); END
--
DROP TRIGGER IF EXISTS risk_decision_append_only_delete
--
CREATE TRIGGER risk_decision_append_only_delete BEFORE DELETE ON risk_decision
BEGIN SELECT RAISE(ABORT, 'risk_decision_append_only'); END
--
-- == limits ==
CREATE UNIQUE INDEX IF NOT EXISTS limit_rule_once
ON limit_rule (currency, scope, period, coalesce(rail, '')) WHERE scope <> 'CUSTOMER'
--
CREATE UNIQUE INDEX IF NOT EXISTS limit_rule_chosen
ON limit_rule (customer_id, base_id, effective_at) WHERE scope = 'CUSTOMER'
--
CREATE INDEX IF NOT EXISTS limit_reservation_counted
ON limit_reservation (customer_id, rule_id, subject_id, window_start)
--
CREATE INDEX IF NOT EXISTS limit_use_changed ON limit_use (changed_at)
--
CREATE INDEX IF NOT EXISTS limit_use_open ON limit_use (customer_id) WHERE reserved > 0
--
DROP TRIGGER IF EXISTS limit_reservation_fixed
--
CREATE TRIGGER limit_reservation_fixed BEFORE UPDATE ON limit_reservation
BEGIN SELECT RAISE(ABORT, 'limit_reservation_fixed'); END
--
DROP TRIGGER IF EXISTS limit_reservation_fixed_delete
--
CREATE TRIGGER limit_reservation_fixed_delete BEFORE DELETE ON limit_reservation
BEGIN SELECT RAISE(ABORT, 'limit_reservation_fixed'); END
--
-- == notifications ==
CREATE UNIQUE INDEX IF NOT EXISTS inbox_item_once ON inbox_item (customer_id, seq)
--
CREATE INDEX IF NOT EXISTS inbox_item_newest
ON inbox_item (customer_id, created_at DESC, id DESC)
--
CREATE INDEX IF NOT EXISTS inbox_item_unread ON inbox_item (customer_id)
WHERE read_at IS NULL
--
CREATE UNIQUE INDEX IF NOT EXISTS push_address_device_once ON push_address (device_id)
WHERE state <> 'DEAD'
--
CREATE UNIQUE INDEX IF NOT EXISTS push_address_value_once ON push_address (value_hash)
WHERE state <> 'DEAD'
--
CREATE INDEX IF NOT EXISTS push_address_customer ON push_address (customer_id)
WHERE state <> 'DEAD'
--
CREATE UNIQUE INDEX IF NOT EXISTS push_dispatch_once
ON push_dispatch (notification_id, device_id)
--
CREATE INDEX IF NOT EXISTS push_dispatch_due ON push_dispatch (due_at)
WHERE state = 'QUEUED'
--
CREATE INDEX IF NOT EXISTS push_dispatch_shown ON push_dispatch (device_id, seq)
WHERE state = 'SENT'
--
DROP TRIGGER IF EXISTS push_dispatch_forward
--
CREATE TRIGGER push_dispatch_forward BEFORE UPDATE ON push_dispatch
WHEN OLD.state IN ('FAILED', 'SUPPRESSED') AND NEW.state <> OLD.state
  OR OLD.state <> 'QUEUED' AND NEW.state IN ('QUEUED', 'FAILED', 'SUPPRESSED')
    AND NEW.state <> OLD.state
  OR OLD.state IN ('DELIVERED', 'OPENED') AND NEW.state = 'SENT'
  OR OLD.state = 'OPENED' AND NEW.state = 'DELIVERED'
BEGIN SELECT RAISE(ABORT, 'push_dispatch_forward'); END
--
DROP TRIGGER IF EXISTS push_address_dead_is_final
--
CREATE TRIGGER push_address_dead_is_final BEFORE UPDATE ON push_address
WHEN OLD.state = 'DEAD' AND NEW.state <> 'DEAD'
BEGIN SELECT RAISE(ABORT, 'push_address_dead_is_final'); END
--
