// One story for every client: ask, change, follow, lose the line, outlive the token, end.

import assert from 'node:assert/strict';

export const HOME = 'query Home { me { streamPosition displayName } }';
export const RENAME = `mutation Rename($input: DeviceRenameInput!) {
  deviceRename(input: $input) { device { id name } userErrors { code message } }
}`;
export const EVENTS = `subscription Events($after: EventCursor) {
  events(after: $after) {
    cursor
    sequence
    event { __typename ... on DeviceChanged { device { id name } } }
  }
}`;
export const LOGOUT = 'mutation Logout { logout { userErrors { code message } } }';

const CONTROL = new Set(['StreamReady', 'CaughtUp']);
const WAIT_MS = 30_000;

/**
 * Applies events in order and keeps the cursor with them; `variables` resume from it.
 * What was applied before is passed over, and counted in `again`.
 */
export class Stream {
  constructor(after) {
    this.variables = { after };
    this.applied = [];
    this.kinds = [];
    this.again = 0;
    this.last = 0;
    this.waiting = new Set();
  }

  take({ cursor, sequence, event }) {
    this.kinds.push(event.__typename);
    assert.notEqual(event.__typename, 'StreamReset');
    if (!CONTROL.has(event.__typename)) {
      if (Number(sequence) <= this.last) {
        this.again += 1;
        return;
      }
      this.last = Number(sequence);
    }
    if (event.__typename === 'DeviceChanged') this.applied.push(event.device.name);
    this.variables.after = cursor;
    for (const look of [...this.waiting]) look();
  }

  async seen(what, test) {
    await until(what, (look) => this.waiting.add(look), () => test(this));
  }

  async named(name) {
    await this.seen(`the name ${name}`, () => this.applied.at(-1) === name);
  }

  count(kind) {
    return this.kinds.filter((one) => one === kind).length;
  }
}

/** Resolves when `test` holds; `listen` gets a function to call when it may. */
export function until(what, listen, test) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited for ${what}`)), WAIT_MS);
    const look = () => {
      if (!test()) return;
      clearTimeout(timer);
      resolve();
    };
    listen(look);
    look();
  });
}

/** Runs a story and says what held in one line; a failure is told whole and ends by 1. */
export async function told(name, story) {
  try {
    console.log(`${name}: ${(await story()).join(', ')}: ok`);
    process.exit(0);
  } catch (failure) {
    console.error(`${name}: FAILED`, failure);
    process.exit(1);
  }
}
