// How an app opens the socket with the npm client graphql-ws, in React Native, a browser
// or Node: docs/realtime.md shows this function.

import { createClient } from 'graphql-ws';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function openSocket(phone, more) {
  let silence, returnMs;
  let lifeMs = 45_000; // then as the acknowledgement says
  const client = createClient({
    url: phone.socketUrl,
    connectionParams: phone.connectionParams, // a function: refreshes, makes a new proof
    retryAttempts: Infinity,
    shouldRetry: (end) => end.code !== 4413, // also a failed connect, which has no code
    retryWait: async (retries) => {
      const most = Math.min(30_000, 500 * 2 ** retries);
      await sleep(returnMs ?? Math.random() * most);
    },
    on: {
      connected: (_socket, ack) => (lifeMs = ack.pingIntervalMs + ack.pingTimeoutMs),
      message: () => {
        clearTimeout(silence);
        silence = setTimeout(() => client.terminate(), lifeMs);
      },
      closed: ({ code, reason }) => {
        clearTimeout(silence);
        returnMs = code === 1012 ? JSON.parse(reason).retryAfterMs : undefined;
      },
    },
    ...more,
  });
  return client;
}
