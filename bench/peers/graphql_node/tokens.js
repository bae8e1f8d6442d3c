// The bank's own access tokens, presented as Bearer: ES256, issuer, audience and end.
// fast-jwt keeps what it has verified, by the hash of the token, as the bank does.
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createVerifier } from 'fast-jwt'

const KEPT = 10000

export class Tokens {
  constructor(keyFile, issuer) {
    const jwk = JSON.parse(readFileSync(keyFile, 'utf8'))
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    this.verify = createVerifier({
      key: key.export({ type: 'spki', format: 'pem' }),
      algorithms: ['ES256'],
      allowedIss: issuer,
      allowedAud: `${issuer}/graphql`,
      requiredClaims: ['sub', 'exp'],
      cache: KEPT,
    })
  }

  // Gives the customer's key in the tables; throws at a token that is not good.
  customer(authorization = '') {
    return this.verify(authorization.replace('Bearer ', '')).sub.replace('cus_', '')
  }
}
