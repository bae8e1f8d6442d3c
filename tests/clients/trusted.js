// Apollo Client with a list of its operations, at a bank that runs nothing else: ids on
// HTTP, texts on the socket. `node trusted.js FILE` writes the list instead, as Apollo's
// generator does: what the client sends, its definitions sorted, printed.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode, print } from 'graphql';
import WebSocket from 'ws';
import { Phone } from './phone.js';
import { openSocket } from './socket.js';
import { RENAME, Stream, told } from './story.js';

const HOME = `query Home { me { streamPosition ...Names } }
  fragment Names on Customer { displayName }`;
const EVENTS = `subscription Events($after: EventCursor) {
    events(after: $after) { cursor sequence event { __typename ...Renamed } }
  }
  fragment Renamed on DeviceChanged { device { id name } }`;
const OTHER = 'query Other { me { timezone } }';

const cache = new InMemoryCache();
const nameOf = (document) => document.definitions.find((one) => one.operation).name.value;
const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const operations = [HOME, EVENTS, RENAME].map((text) => {
  const sent = cache.transformDocument(gql(text));
  const definitions = [...sent.definitions].sort((a, b) => (a.kind < b.kind ? -1 : 1));
  const body = print({ ...sent, definitions });
  const type = definitions.find((one) => one.operation).operation;
  return { id: sha256(body), name: nameOf(sent), type, body };
});

const [file] = process.argv.slice(2);
if (file === undefined) {
  await told('@apollo/client, listed operations', story);
} else {
  const list = { format: 'apollo-persisted-query-manifest', version: 1, operations };
  writeFileSync(file, JSON.stringify(list));
}

async function story() {
  const ids = new Map(operations.map(({ name, id }) => [name, id]));
  const phone = Phone.handedOver();
  const bodies = [];
  const recording = (url, init) => {
    bodies.push(JSON.parse(init.body));
    return phone.fetch(url, init);
  };
  const client = new ApolloClient({
    cache,
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(openSocket(phone, { webSocketImpl: WebSocket })),
      new PersistedQueryLink({
        generateHash: (document) => ids.get(nameOf(document)) ?? sha256(print(document)),
      }).concat(new HttpLink({ uri: phone.url, fetch: recording })),
    ),
  });

  const { data } = await client.query({ query: gql(HOME) });
  assert.ok(data.me.displayName);
  const stream = new Stream(data.me.streamPosition);
  const following = client
    .subscribe({ query: gql(EVENTS), variables: { ...stream.variables } })
    .subscribe(({ data: told }) => stream.take(told.events));
  await stream.seen('the opening', () => stream.count('StreamReady') === 1);
  const variables = { input: { id: phone.deviceId, name: 'By id' } };
  await client.mutate({ mutation: gql(RENAME), variables });
  await stream.named('By id');
  assert.ok(bodies.every((body) => body.query === undefined));

  const refused = await client.query({ query: gql(OTHER) }).catch((error) => error);
  assert.equal(refused.errors[0].extensions.code, 'PERSISTED_QUERY_NOT_FOUND');
  following.unsubscribe();
  return ['ids alone on HTTP', 'texts on the socket', 'nothing else'];
}
