// Live updates as a Node team writes them: graphql-ws on ws, PubSub of
// graphql-subscriptions, one topic per customer, everything in memory. It does no
// sign-in work: `connection_init` names the customer. Started as
// `node server.js PORT`; reads its customers and then `publish` lines from stdin.
import { createInterface } from 'node:readline'
import { buildSchema } from 'graphql'
import { PubSub } from 'graphql-subscriptions'
import { useServer } from 'graphql-ws/use/ws'
import { WebSocketServer } from 'ws'

const schema = buildSchema(`
  type Query { ok: Boolean! }
  scalar EventCursor
  type Subscription { events(after: EventCursor): EventEnvelope! }
  type EventEnvelope {
    cursor: String!
    sequence: String!
    occurredAt: String!
    category: String
    event: CustomerEvent!
  }
  union CustomerEvent = StreamReady | BalanceChanged
  type StreamReady { missed: Int! }
  type BalanceChanged { account: Account! balance: Balance! }
  type Account { id: ID! name: String! }
  type Balance { available: Money! version: String! }
  type Money { minorUnits: String! currency: String! }
`)

const pubsub = new PubSub()
pubsub.ee.setMaxListeners(0)
const sequences = []
let owners = []

async function* events(_args, { customer }) {
  const changes = pubsub.asyncIterableIterator(`customer.${customer}`)
  yield { events: ready(customer) }
  yield* changes
}

function ready(place) {
  return envelope(place, { __typename: 'StreamReady', missed: 0 })
}

function envelope(place, event) {
  const sequence = String(sequences[place])
  return {
    cursor: `ec1.benchpee.${sequence}.20260101`,
    sequence,
    occurredAt: new Date().toISOString(),
    category: null,
    event,
  }
}

function publish(number, first, count) {
  for (let turn = first; turn < first + count; turn++) {
    const place = turn % owners.length
    sequences[place] += 1
    const figure = String(4000000 + (number % 1000000))
    pubsub.publish(`customer.${place}`, {
      events: envelope(place, {
        __typename: 'BalanceChanged',
        account: { id: owners[place][1], name: 'Everyday' },
        balance: { available: { minorUnits: figure, currency: 'INR' }, version: String(number) },
      }),
    })
  }
}

const server = new WebSocketServer({ port: Number(process.argv[2]), path: '/graphql' })
useServer(
  {
    schema,
    roots: { subscription: { events } },
    context: (socket) => ({ customer: socket.connectionParams.customer }),
  },
  server,
)

createInterface({ input: process.stdin }).on('line', (line) => {
  if (line.startsWith('[')) {
    owners = JSON.parse(line)
    sequences.push(...owners.map(() => 0))
    console.log('ready')
  } else {
    const [, ...numbers] = line.split(' ')
    publish(...numbers.map(Number))
  }
}).on('close', () => process.exit(0))
