// The home screen by Mercurius: Fastify, its JIT from the first request on, its loaders.
import Fastify from 'fastify'
import mercurius from 'mercurius'
import { books, caller, listening, resolvers, typeDefs } from './home.js'

const loaders = {
  Account: {
    transactions: {
      loader: (queries) =>
        books.lines(queries.map(({ obj, params }) => ({ account: obj, first: params.first }))),
      opts: { cache: false },
    },
  },
}

const app = Fastify()
await app.register(mercurius, {
  schema: typeDefs,
  resolvers,
  loaders,
  jit: 1,
  context: ({ headers }) => caller(headers),
})
await app.listen(listening)
