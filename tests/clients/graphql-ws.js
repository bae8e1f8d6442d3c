// The npm client graphql-ws, unchanged, on the socket of a bank.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import WebSocket from 'ws';
import { Phone } from './phone.js';
import { openSocket } from './socket.js';
import { EVENTS, HOME, LOGOUT, RENAME, Stream, told, until } from './story.js';

const { version } = createRequire(import.meta.url)('graphql-ws/package.json');

async function once(client, query, variables) {
  for await (const result of client.iterate({ query, variables })) return result;
  throw new Error('completed without a result');
}

async function ask(phone, query, variables) {
  const body = JSON.stringify({ query, variables });
  const answer = await phone.fetch(phone.url, { body });
  const { data, errors } = await answer.json();
  assert.equal(errors, undefined);
  return data;
}

await told(`graphql-ws ${version}`, async () => {
  const phone = Phone.handedOver();
  const closes = [];
  let socket, nobodyIsThere;
  const client = openSocket(phone, {
    webSocketImpl: WebSocket,
    url: () => (nobodyIsThere ? 'ws://127.0.0.1:1/graphql' : phone.socketUrl),
  });
  client.on('opened', (opened) => (socket = opened));
  client.on('closed', ({ code }) => closes.push(code));
  const rename = (name) => ask(phone, RENAME, { input: { id: phone.deviceId, name } });

  const home = await once(client, HOME);
  assert.ok(home.data.me.displayName);

  const stream = new Stream(home.data.me.streamPosition);
  let ended;
  const listeners = new Set();
  client.subscribe(
    { query: EVENTS, variables: stream.variables },
    {
      next: ({ data }) => stream.take(data.events),
      error: (error) => listeners.forEach((look) => look((ended = error))),
      complete: () => listeners.forEach((look) => look((ended = 'complete'))),
    },
  );
  await stream.seen('the opening', () => stream.count('StreamReady') === 1);
  await rename('First name');
  await stream.named('First name');

  // A mutation without a proof of its own is refused; the one without effect is not.
  await assert.rejects(
    once(client, RENAME, { input: { id: phone.deviceId, name: 'Never' } }),
    ([error]) => error.extensions.code === 'FORBIDDEN',
  );
  const ack = `mutation Ack($input: EventsAckInput!) {
    eventsAck(input: $input) { acknowledged userErrors { code } }
  }`;
  const done = await once(client, ack, { input: { upTo: stream.variables.after } });
  assert.deepEqual(done.data.eventsAck.userErrors, []);

  // The line breaks and nobody answers for a while; what happened meanwhile is told after
  // the client came back by itself.
  nobodyIsThere = true;
  const failed = new Promise((resolve) => client.on('error', resolve));
  socket.terminate();
  await rename('Second name');
  await failed;
  nobodyIsThere = false;
  await stream.named('Second name');
  assert.ok(closes.includes(1006) && !closes.includes(4499), `${closes}`);

  // The token ends: 4419, a refresh in `connectionParams`, and on it goes.
  const before = phone.refreshes;
  await until('4419', (look) => client.on('closed', look), () => closes.includes(4419));
  await rename('Third name');
  await stream.named('Third name');
  assert.ok(phone.refreshes > before);
  assert.deepEqual(stream.applied, ['First name', 'Second name', 'Third name']);
  assert.equal(stream.again, 0);

  // The person signs out: 4401, which this client takes as final.
  await ask(phone, LOGOUT);
  await until('the end', (look) => listeners.add(look), () => ended !== undefined);
  assert.equal(ended.code, 4401);
  return ['query', 'mutation', 'subscription', 'reconnect', 'token expiry', 'sign-out'];
});
