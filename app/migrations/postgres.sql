-- Every trigger and every index of the bank on PostgreSQL. Statements are parted by a line `--`.
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
CREATE OR REPLACE FUNCTION sixpence_refuse() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation'; END $body$
--
DROP TRIGGER IF EXISTS audit_append_only ON audit_entry
--
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_entry
FOR EACH ROW EXECUTE FUNCTION sixpence_refuse('audit_append_only')
--
DROP TRIGGER IF EXISTS audit_append_only_truncate ON audit_entry
--
CREATE TRIGGER audit_append_only_truncate BEFORE TRUNCATE ON audit_entry
FOR EACH STATEMENT EXECUTE FUNCTION sixpence_refuse('audit_append_only')
--
DROP TRIGGER IF EXISTS audit_head_forward ON audit_head
--
CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_head
FOR EACH ROW WHEN (NEW.seq < OLD.seq OR NEW.chain <> OLD.chain)
EXECUTE FUNCTION sixpence_refuse('audit_head_forward')
--
DROP TRIGGER IF EXISTS audit_head_stays ON audit_head
--
CREATE TRIGGER audit_head_stays BEFORE DELETE ON audit_head
FOR EACH ROW EXECUTE FUNCTION sixpence_refuse('audit_head_forward')
--
CREATE INDEX IF NOT EXISTS audit_sealed_head_hour
ON audit_sealed_head (hour, chain)
--
DROP TRIGGER IF EXISTS audit_seal_append_only ON audit_seal
--
CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR DELETE ON audit_seal
FOR EACH ROW EXECUTE FUNCTION sixpence_refuse('audit_seal_append_only')
--
DROP TRIGGER IF EXISTS audit_seal_append_only_truncate ON audit_seal
--
CREATE TRIGGER audit_seal_append_only_truncate BEFORE TRUNCATE ON audit_seal
FOR EACH STATEMENT EXECUTE FUNCTION sixpence_refuse('audit_seal_append_only')
--
DROP TRIGGER IF EXISTS audit_sealed_head_append_only ON audit_sealed_head
--
CREATE TRIGGER audit_sealed_head_append_only BEFORE UPDATE OR DELETE ON audit_sealed_head
FOR EACH ROW EXECUTE FUNCTION sixpence_refuse('audit_sealed_head_append_only')
--
DROP TRIGGER IF EXISTS audit_sealed_head_append_only_truncate ON audit_sealed_head
--
CREATE TRIGGER audit_sealed_head_append_only_truncate BEFORE TRUNCATE ON audit_sealed_head
FOR EACH STATEMENT EXECUTE FUNCTION sixpence_refuse('audit_sealed_head_append_only')
--
DROP TRIGGER IF EXISTS event_append_only ON customer_event
--
CREATE TRIGGER event_append_only BEFORE UPDATE ON customer_event
FOR EACH ROW EXECUTE FUNCTION sixpence_refuse('event_append_only')
--
DROP TRIGGER IF EXISTS event_append_only_truncate ON customer_event
--
CREATE TRIGGER event_append_only_truncate BEFORE TRUNCATE ON customer_event
FOR EACH STATEMENT EXECUTE FUNCTION sixpence_refuse('event_append_only')
--
CREATE OR REPLACE FUNCTION sixpence_event_kept() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM event_floor WHERE OLD.day < event_floor.day) THEN
    RAISE EXCEPTION 'event_append_only' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN OLD;
END $body$
--
DROP TRIGGER IF EXISTS event_append_only_delete ON customer_event
--
CREATE TRIGGER event_append_only_delete BEFORE DELETE ON customer_event
FOR EACH ROW EXECUTE FUNCTION sixpence_event_kept()
--
DROP TRIGGER IF EXISTS event_floor_rises ON event_floor
--
CREATE TRIGGER event_floor_rises BEFORE UPDATE ON event_floor
FOR EACH ROW WHEN (NEW.day < OLD.day)
EXECUTE FUNCTION sixpence_refuse('event_floor_rises')
--
DROP TRIGGER IF EXISTS event_floor_stays ON event_floor
--
CREATE TRIGGER event_floor_stays BEFORE DELETE ON event_floor
FOR EACH ROW EXECUTE FUNCTION sixpence_refuse('event_floor_stays')
--
DROP TRIGGER IF EXISTS stream_head_forward ON stream_head
--
CREATE TRIGGER stream_head_forward BEFORE UPDATE ON stream_head
FOR EACH ROW WHEN (NEW.epoch = OLD.epoch AND NEW.seq < OLD.seq)
EXECUTE FUNCTION sixpence_refuse('stream_head_forward')
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
DROP TRIGGER IF EXISTS posting_append_only ON ledger_posting
--
CREATE TRIGGER posting_append_only BEFORE UPDATE ON ledger_posting
FOR EACH ROW EXECUTE FUNCTION sixpence_refuse('posting_append_only')
--
DROP TRIGGER IF EXISTS posting_append_only_delete ON ledger_posting
--
CREATE TRIGGER posting_append_only_delete BEFORE DELETE ON ledger_posting
FOR EACH ROW EXECUTE FUNCTION sixpence_refuse('posting_append_only')
--
DROP TRIGGER IF EXISTS posting_append_only_truncate ON ledger_posting
--
CREATE TRIGGER posting_append_only_truncate BEFORE TRUNCATE ON ledger_posting
FOR EACH STATEMENT EXECUTE FUNCTION sixpence_refuse('posting_append_only')
--
DROP TRIGGER IF EXISTS journal_append_only ON ledger_journal
--
CREATE TRIGGER journal_append_only BEFORE UPDATE ON ledger_journal
FOR EACH ROW EXECUTE FUNCTION sixpence_refuse('journal_append_only')
--
DROP TRIGGER IF EXISTS journal_append_only_delete ON ledger_journal
--
CREATE TRIGGER journal_append_only_delete BEFORE DELETE ON ledger_journal
FOR EACH ROW EXECUTE FUNCTION sixpence_refuse('journal_append_only')
--
DROP TRIGGER IF EXISTS journal_append_only_truncate ON ledger_journal
--
CREATE TRIGGER journal_append_only_truncate BEFORE TRUNCATE ON ledger_journal
FOR EACH STATEMENT EXECUTE FUNCTION sixpence_refuse('journal_append_only')
--
CREATE OR REPLACE FUNCTION sixpence_posting_unsealed() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  IF EXISTS (SELECT 1 FROM ledger_journal WHERE id = NEW.journal_id) THEN
    RAISE EXCEPTION 'posting_before_seal' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $body$
--
DROP TRIGGER IF EXISTS posting_before_seal ON ledger_posting
--
CREATE TRIGGER posting_before_seal BEFORE INSERT ON ledger_posting
FOR EACH ROW EXECUTE FUNCTION sixpence_posting_unsealed()
--
CREATE OR REPLACE FUNCTION sixpence_journal_seal() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id
    WHERE p.journal_id = NEW.id GROUP BY p.journal_id
    HAVING count(*) >= 2 AND count(DISTINCT a.currency) = 1 AND sum(p.amount) = 0
      AND sum(CASE WHEN p.phase = 'COMMITTED' THEN p.amount ELSE 0 END) = 0
  ) THEN
    RAISE EXCEPTION 'journal_seal' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $body$
--
DROP TRIGGER IF EXISTS journal_seal ON ledger_journal
--
CREATE TRIGGER journal_seal BEFORE INSERT ON ledger_journal
FOR EACH ROW EXECUTE FUNCTION sixpence_journal_seal()
--
DROP TRIGGER IF EXISTS line_moves ON ledger_line
--
CREATE TRIGGER line_moves BEFORE UPDATE ON ledger_line
FOR EACH ROW WHEN (NOT (
  NEW.id = OLD.id AND NEW.account_id = OLD.account_id AND NEW.op_id = OLD.op_id
  AND NEW.direction = OLD.direction AND NEW.created_at = OLD.created_at
  AND (
    (OLD.status = 'PENDING' AND NEW.status = 'BOOKED' AND NEW.amount <= OLD.amount)
    OR (OLD.status = 'PENDING' AND NEW.status = 'DECLINED' AND NEW.amount = OLD.amount)
    OR (OLD.status = 'BOOKED' AND NEW.status = 'REVERSED' AND NEW.amount = OLD.amount)
  )
))
EXECUTE FUNCTION sixpence_refuse('line_moves')
--
DROP TRIGGER IF EXISTS line_stays ON ledger_line
--
CREATE TRIGGER line_stays BEFORE DELETE ON ledger_line
FOR EACH ROW EXECUTE FUNCTION sixpence_refuse('line_stays')
--
DROP TRIGGER IF EXISTS line_stays_truncate ON ledger_line
--
CREATE TRIGGER line_stays_truncate BEFORE TRUNCATE ON ledger_line
FOR EACH STATEMENT EXECUTE FUNCTION sixpence_refuse('line_stays')
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
DROP TRIGGER IF EXISTS device_revoked_is_final ON device
--
CREATE TRIGGER device_revoked_is_final BEFORE UPDATE ON device
FOR EACH ROW WHEN (OLD.state = 'REVOKED' AND (NEW.state <> 'REVOKED' OR NEW.jkt <> OLD.jkt))
EXECUTE FUNCTION sixpence_refuse('device_revoked_is_final')
--
DROP TRIGGER IF EXISTS device_stays ON device
--
CREATE TRIGGER device_stays BEFORE DELETE ON device
FOR EACH ROW EXECUTE FUNCTION sixpence_refuse('device_stays')
--
DROP TRIGGER IF EXISTS session_end_is_final ON session
--
CREATE TRIGGER session_end_is_final BEFORE UPDATE ON session
FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at)
EXECUTE FUNCTION sixpence_refuse('session_end_is_final')
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
DROP TRIGGER IF EXISTS passkey_key_fixed ON passkey
--
CREATE TRIGGER passkey_key_fixed BEFORE UPDATE ON passkey
FOR EACH ROW WHEN (NEW.credential_id <> OLD.credential_id OR NEW.cose_key <> OLD.cose_key
  OR NEW.customer_id <> OLD.customer_id OR NEW.be <> OLD.be)
EXECUTE FUNCTION sixpence_refuse('passkey_key_fixed')
--
DROP TRIGGER IF EXISTS passkey_registration_once ON passkey_registration
--
CREATE TRIGGER passkey_registration_once BEFORE UPDATE ON passkey_registration
FOR EACH ROW WHEN (OLD.state = 'FAILED' OR (OLD.state = 'CONSUMED' AND NEW.state = 'PENDING'))
EXECUTE FUNCTION sixpence_refuse('passkey_registration_once')
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
DROP TRIGGER IF EXISTS payment_payload_fixed ON payment
--
CREATE TRIGGER payment_payload_fixed BEFORE UPDATE ON payment
FOR EACH ROW WHEN (NEW.id <> OLD.id
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
  OR NEW.reference IS DISTINCT FROM OLD.reference
  OR NEW.note IS DISTINCT FROM OLD.note
  OR NEW.idempotency_key IS DISTINCT FROM OLD.idempotency_key
  OR NEW.quote_json IS DISTINCT FROM OLD.quote_json
  OR NEW.schedule_id IS DISTINCT FROM OLD.schedule_id
  OR (OLD.state NOT IN ('HELD_FOR_REVIEW', 'AWAITING_AUTHORISATION') AND (
    NEW.payload_hash IS DISTINCT FROM OLD.payload_hash
    OR NEW.challenge_id IS DISTINCT FROM OLD.challenge_id
    OR NEW.device_id IS DISTINCT FROM OLD.device_id)))
EXECUTE FUNCTION sixpence_refuse('payment_payload_fixed')
--
DROP TRIGGER IF EXISTS payment_stays ON payment
--
CREATE TRIGGER payment_stays BEFORE DELETE ON payment
FOR EACH ROW
EXECUTE FUNCTION sixpence_refuse('payment_payload_fixed')
--
DROP TRIGGER IF EXISTS payment_stays_truncate ON payment
--
CREATE TRIGGER payment_stays_truncate BEFORE TRUNCATE ON payment
FOR EACH STATEMENT
EXECUTE FUNCTION sixpence_refuse('payment_payload_fixed')
--
DROP TRIGGER IF EXISTS payment_end_is_final ON payment
--
CREATE TRIGGER payment_end_is_final BEFORE UPDATE ON payment
FOR EACH ROW WHEN (OLD.state IN ('SETTLED', 'DECLINED', 'FAILED', 'REVERSED', 'CANCELLED', 'EXPIRED')
  AND NEW.state <> OLD.state AND NOT (OLD.state = 'SETTLED' AND NEW.state = 'REVERSED'))
EXECUTE FUNCTION sixpence_refuse('payment_end_is_final')
--
DROP TRIGGER IF EXISTS payment_step_append_only ON payment_step
--
CREATE TRIGGER payment_step_append_only BEFORE UPDATE OR DELETE ON payment_step
FOR EACH ROW
EXECUTE FUNCTION sixpence_refuse('payment_step_append_only')
--
DROP TRIGGER IF EXISTS payment_step_append_only_truncate ON payment_step
--
CREATE TRIGGER payment_step_append_only_truncate BEFORE TRUNCATE ON payment_step
FOR EACH STATEMENT
EXECUTE FUNCTION sixpence_refuse('payment_step_append_only')
--
-- == risk ==
CREATE UNIQUE INDEX IF NOT EXISTS risk_decision_once ON risk_decision (payment_id)
--
DROP TRIGGER IF EXISTS risk_decision_append_only ON risk_decision
--
CREATE TRIGGER risk_decision_append_only BEFORE UPDATE OR DELETE ON risk_decision
FOR EACH ROW
EXECUTE FUNCTION sixpence_refuse('risk_decision_append_only')
--
DROP TRIGGER IF EXISTS risk_decision_append_only_truncate ON risk_decision
--
CREATE TRIGGER risk_decision_append_only_truncate BEFORE TRUNCATE ON risk_decision
FOR EACH STATEMENT
EXECUTE FUNCTION sixpence_refuse('risk_decision_append_only')
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
DROP TRIGGER IF EXISTS limit_reservation_fixed ON limit_reservation
--
CREATE TRIGGER limit_reservation_fixed BEFORE UPDATE OR DELETE ON limit_reservation
FOR EACH ROW
EXECUTE FUNCTION sixpence_refuse('limit_reservation_fixed')
--
DROP TRIGGER IF EXISTS limit_reservation_fixed_truncate ON limit_reservation
--
CREATE TRIGGER limit_reservation_fixed_truncate BEFORE TRUNCATE ON limit_reservation
FOR EACH STATEMENT
EXECUTE FUNCTION sixpence_refuse('limit_reservation_fixed')
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
DROP TRIGGER IF EXISTS push_dispatch_forward ON push_dispatch
--
CREATE TRIGGER push_dispatch_forward BEFORE UPDATE ON push_dispatch
FOR EACH ROW WHEN (OLD.state IN ('FAILED', 'SUPPRESSED') AND NEW.state <> OLD.state
  OR OLD.state <> 'QUEUED' AND NEW.state IN ('QUEUED', 'FAILED', 'SUPPRESSED')
    AND NEW.state <> OLD.state
  OR OLD.state IN ('DELIVERED', 'OPENED') AND NEW.state = 'SENT'
  OR OLD.state = 'OPENED' AND NEW.state = 'DELIVERED')
EXECUTE FUNCTION sixpence_refuse('push_dispatch_forward')
--
DROP TRIGGER IF EXISTS push_address_dead_is_final ON push_address
--
CREATE TRIGGER push_address_dead_is_final BEFORE UPDATE ON push_address
FOR EACH ROW WHEN (OLD.state = 'DEAD' AND NEW.state <> 'DEAD')
EXECUTE FUNCTION sixpence_refuse('push_address_dead_is_final')
--
