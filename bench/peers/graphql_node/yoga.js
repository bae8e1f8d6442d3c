// The home screen by GraphQL Yoga on Node's own HTTP server, as its first page has it.
import { createServer } from 'node:http'
import { createSchema, createYoga } from 'graphql-yoga'
import { callerWithLoader, listening, plain, typeDefs } from './home.js'

const yoga = createYoga({
  schema: createSchema({ typeDefs, resolvers: plain }),
  context: ({ req }) => callerWithLoader(req.headers),
  graphiql: false,
})
createServer(yoga).listen(listening)
