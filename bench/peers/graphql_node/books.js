// The two statements of raw_asyncpg.py through `pg`, prepared by name, and their rows as
// the schema shows them. One is asked per request for the accounts, one for all rows.
import pg from 'pg'

const ACCOUNTS = `
  SELECT a.id, a.name, a.masked_number, a.currency, b.committed, b.pending_out, b.version
  FROM account a JOIN ledger_balance b ON b.account_id = CAST(a.core_ref AS uuid)
  WHERE a.customer_id = $1 ORDER BY a.position, a.id LIMIT 50`
const LINES = `
  SELECT a.id AS account, l.id, l.amount, l.direction, l.narration, l.counterparty_name,
    l.booked_at
  FROM unnest($1::uuid[]) AS a(id) CROSS JOIN LATERAL (
    SELECT * FROM ledger_line WHERE account_id = a.id
    ORDER BY created_at DESC, id DESC LIMIT $2) AS l
  ORDER BY a.id, l.created_at DESC, l.id DESC`

export class Books {
  constructor(url) {
    this.pool = new pg.Pool({ connectionString: url, min: 2, max: 10 })
  }

  async accounts(customer) {
    const asked = { name: 'accounts', text: ACCOUNTS, values: [customer] }
    return (await this.pool.query(asked)).rows.map(account)
  }

  // One list for each wish, which is an account and how many rows of it.
  async lines(wishes) {
    const found = new Map(wishes.map(({ account }) => [account.key, []]))
    const most = Math.max(...wishes.map(({ first }) => first))
    const values = [[...found.keys()], most]
    const { rows } = await this.pool.query({ name: 'lines', text: LINES, values })
    for (const row of rows) found.get(row.account).push(row)
    return wishes.map(({ account, first }) => {
      const own = found.get(account.key).slice(0, first)
      return { nodes: own.map((row) => line(row, account.currency)) }
    })
  }
}

function account(row) {
  const { id, name, currency, committed, pending_out: pending, version } = row
  const available = String(BigInt(committed) + BigInt(pending))
  return {
    key: id,
    id: `acc_${hex(id)}`,
    name,
    maskedNumber: row.masked_number,
    currency,
    balance: { available: money(available, currency), booked: money(committed, currency), version },
  }
}

function line(row, currency) {
  const { id, amount, direction, narration, counterparty_name: name, booked_at: at } = row
  return {
    id: `txn_${hex(id)}`,
    amount: money(amount, currency),
    direction,
    narration,
    counterparty: name === null ? null : { name },
    bookedAt: at === null ? null : at.toISOString(),
  }
}

// `pg` gives a bigint as text, which is how the schema shows one.
const money = (minorUnits, currency) => ({ minorUnits, currency })
const hex = (id) => id.replaceAll('-', '')
