// What an app brings along itself: the device key, DPoP proofs, the token pair. The mock
// phone enrolled and signed in; it hands its state over as the file in SIXPENCE_PHONE.

import { createHash, createPrivateKey, createPublicKey, randomBytes, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';

const REFRESH = `mutation TokenRefresh($input: TokenRefreshInput!) {
  tokenRefresh(input: $input) {
    tokens { accessToken refreshToken expiresAt }
    userErrors { code message }
  }
}`;

const b64url = (bytes) => Buffer.from(bytes).toString('base64url');
const sha256 = (bytes) => createHash('sha256').update(bytes).digest();

export class Phone {
  /** `bank` is the public address that proofs name; `door` is where packets go. */
  constructor(bank, door, state) {
    this.bank = `${bank}/graphql`;
    this.url = `${door}/graphql`;
    this.socketUrl = this.url.replace(/^http/, 'ws');
    this.deviceId = state.device_id;
    this.key = createPrivateKey(state.key_pem);
    const { kty, crv, x, y } = createPublicKey(this.key).export({ format: 'jwk' });
    this.jwk = { kty, crv, x, y };
    this.token = state.token;
    this.refreshToken = state.refresh_token;
    this.expiresAt = Date.parse(state.token_expires_at);
    this.refreshes = 0;
    this.nonce = undefined;
  }

  static handedOver() {
    const { SIXPENCE_BANK: bank, SIXPENCE_DOOR: door, SIXPENCE_PHONE: file } = process.env;
    return new Phone(bank, door, JSON.parse(readFileSync(file, 'utf8')));
  }

  /** One proof (RFC 9449) for one request: `bh` covers the body, `ath` the token. */
  proof({ method, url, body, token }) {
    const claims = {
      jti: b64url(randomBytes(24)),
      htm: method,
      htu: url,
      iat: Math.floor(Date.now() / 1000),
      ...(body === undefined ? {} : { bh: b64url(sha256(body)) }),
      ...(token === undefined ? {} : { ath: b64url(sha256(token)) }),
      ...(this.nonce === undefined ? {} : { nonce: this.nonce }),
    };
    const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: this.jwk };
    const signed = `${b64url(JSON.stringify(header))}.${b64url(JSON.stringify(claims))}`;
    const key = { key: this.key, dsaEncoding: 'ieee-p1363' };
    return `${signed}.${b64url(sign('sha256', Buffer.from(signed), key))}`;
  }

  async send(body, token, init = {}) {
    const headers = new Headers(init.headers ?? { 'content-type': 'application/json' });
    headers.set('dpop', this.proof({ method: 'POST', url: this.bank, body, token }));
    if (token !== undefined) headers.set('authorization', `DPoP ${token}`);
    const answer = await fetch(this.url, { ...init, method: 'POST', headers, body });
    this.nonce = answer.headers.get('dpop-nonce') ?? this.nonce;
    return answer;
  }

  /** A `fetch` for any client library: proves each request, refreshes the token once. */
  fetch = async (_url, init) => {
    const answer = await this.send(init.body, this.token, init);
    if (answer.status !== 401) return answer;
    const reason = (await answer.clone().json()).errors[0].extensions.reason;
    if (reason !== 'TOKEN_EXPIRED') return answer;
    await this.refresh();
    return this.send(init.body, this.token, init);
  };

  /** New tokens for the refresh token; those who ask at the same time share one answer. */
  refresh() {
    this.refreshing ??= this.#refresh().finally(() => (this.refreshing = undefined));
    return this.refreshing;
  }

  async #refresh() {
    const variables = { input: { refreshToken: this.refreshToken } };
    const answer = await this.send(JSON.stringify({ query: REFRESH, variables }));
    const { tokens, userErrors } = (await answer.json()).data.tokenRefresh;
    if (tokens === null) throw new Error(`refused: ${userErrors[0].code}`);
    this.token = tokens.accessToken;
    this.refreshToken = tokens.refreshToken;
    this.expiresAt = Date.parse(tokens.expiresAt);
    this.refreshes += 1;
  }

  /** `connectionParams` must be a function: each connection needs a proof of its own. */
  connectionParams = async () => {
    if (this.expiresAt - Date.now() < 1000) await this.refresh();
    const covered = { method: 'GET', url: this.bank.replace(/^http/, 'ws'), token: this.token };
    return { accessToken: this.token, dpop: this.proof(covered) };
  };
}
