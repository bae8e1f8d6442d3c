// Apollo Client, unchanged: HttpLink for queries and mutations, GraphQLWsLink for streams.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';
import WebSocket from 'ws';
import { Phone } from './phone.js';
import { openSocket } from './socket.js';
import { EVENTS, HOME, LOGOUT, RENAME, Stream, told, until } from './story.js';

const { version } = createRequire(import.meta.url)('@apollo/client/package.json');

await told(`@apollo/client ${version}`, async () => {
  const phone = Phone.handedOver();
  const closes = [];
  let socket;
  const sockets = openSocket(phone, { webSocketImpl: WebSocket });
  sockets.on('opened', (opened) => (socket = opened));
  sockets.on('closed', ({ code }) => closes.push(code));
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(sockets),
      new HttpLink({ uri: phone.url, fetch: phone.fetch }),
    ),
  });
  const rename = async (name) => {
    const variables = { input: { id: phone.deviceId, name } };
    const { data } = await client.mutate({ mutation: gql(RENAME), variables });
    assert.equal(data.deviceRename.device.name, name);
  };

  const { data } = await client.query({ query: gql(HOME) });
  assert.ok(data.me.displayName);

  const stream = new Stream(data.me.streamPosition);
  const ends = new Set();
  let ended;
  const follow = () =>
    client.subscribe({ query: gql(EVENTS), variables: { ...stream.variables } }).subscribe({
      next: ({ data: told, error }) => {
        if (error === undefined) stream.take(told.events);
        else ends.forEach((look) => look((ended = error)));
      },
      error: (error) => ends.forEach((look) => look((ended = error))),
    });
  let following = follow();
  await stream.seen('the opening', () => stream.count('StreamReady') === 1);
  await rename('Fourth name');
  await stream.named('Fourth name');

  // Apollo sends the variables of the beginning again; events told before are passed over.
  socket.terminate();
  await rename('Fifth name');
  await stream.named('Fifth name');

  // In the background the app closes; in the foreground it asks from its cursor.
  following.unsubscribe();
  await until('the close', (look) => sockets.on('closed', look), () => closes.includes(1000));
  await rename('Sixth name');
  following = follow();
  await stream.named('Sixth name');

  const before = phone.refreshes;
  await until('4419', (look) => sockets.on('closed', look), () => closes.includes(4419));
  await rename('Seventh name');
  await stream.named('Seventh name');
  assert.ok(phone.refreshes > before);
  const names = ['Fourth name', 'Fifth name', 'Sixth name', 'Seventh name'];
  assert.deepEqual(stream.applied, names);

  await client.mutate({ mutation: gql(LOGOUT) });
  await until('the end', (look) => ends.add(look), () => ended !== undefined);
  assert.ok(closes.includes(4401));
  return ['query', 'mutation', 'subscription', 'reconnect', 'token expiry', 'sign-out'];
});
