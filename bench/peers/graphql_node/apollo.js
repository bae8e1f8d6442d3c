// The home screen by Apollo Server on Fastify, by Apollo's own guide for it.
import { ApolloServer } from '@apollo/server'
import fastifyApollo from '@as-integrations/fastify'
import Fastify from 'fastify'
import { callerWithLoader, listening, plain, typeDefs } from './home.js'

const apollo = new ApolloServer({ typeDefs, resolvers: plain })
await apollo.start()
const app = Fastify()
await app.register(fastifyApollo(apollo), {
  context: async ({ headers }) => callerWithLoader(headers),
})
await app.listen(listening)
