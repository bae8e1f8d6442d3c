// What the Node peers of the home screen share: how they are started, schema, resolvers.
// Each is started as `node SERVER.js DATABASE_URL PORT KEY_FILE ISSUER`.
import DataLoader from 'dataloader'
import { Books } from './books.js'
import { Tokens } from './tokens.js'

const [url, port, keyFile, issuer] = process.argv.slice(2)

export const listening = { port: Number(port), host: '127.0.0.1' }
export const books = new Books(url)
const tokens = new Tokens(keyFile, issuer)

export const typeDefs = `
  type Query { me: Customer! }
  type Customer { accounts: [Account!]! }
  type Account {
    id: ID!
    name: String!
    maskedNumber: String!
    currency: String!
    balance: Balance!
    transactions(first: Int! = 25): TransactionConnection!
  }
  type Balance { available: Money! booked: Money! version: String! }
  type Money { minorUnits: String! currency: String! }
  type TransactionConnection { nodes: [Transaction!]! }
  type Transaction {
    id: ID!
    amount: Money!
    direction: Direction!
    narration: String
    counterparty: Counterparty
    bookedAt: String
  }
  enum Direction { IN OUT }
  type Counterparty { name: String! }
`

export const resolvers = {
  Query: { me: (_root, _args, { customer }) => ({ customer }) },
  Customer: { accounts: ({ customer }) => books.accounts(customer) },
}

// Where the server has no loaders of its own.
export const plain = {
  ...resolvers,
  Account: { transactions: (account, { first }, { lines }) => lines.load({ account, first }) },
}

export const caller = ({ authorization }) => ({ customer: tokens.customer(authorization) })

export const callerWithLoader = (headers) => ({
  ...caller(headers),
  lines: new DataLoader((wishes) => books.lines(wishes), { cache: false }),
})
