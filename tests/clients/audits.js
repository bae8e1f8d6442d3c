// The audits of graphql-http, as that project ships them, against a bank.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { auditServer } from 'graphql-http';
import { told } from './story.js';

const { version } = createRequire(import.meta.url)('graphql-http/package.json');
// They say that a server MAY answer GET. Ours does not.
const NOTICES = ['5A70', '6A70', 'D6D5'];

await told(`graphql-http ${version}`, async () => {
  const results = await auditServer({ url: `${process.env.SIXPENCE_DOOR}/graphql` });
  const others = results.filter(({ status }) => status !== 'ok');
  for (const { id, status, name, reason } of others) {
    if (!NOTICES.includes(id)) console.error(id, status, name, reason);
  }
  assert.deepEqual(others.map(({ id }) => id).sort(), NOTICES);
  assert.ok(others.every(({ status }) => status === 'notice'));
  const good = results.length - others.length;
  return [`${good} of ${results.length} audits ok`, `${NOTICES.join(' ')} notices (no GET)`];
});
