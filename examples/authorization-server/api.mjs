// A resource server: it verifies the token's signature, and asks Verdict again at each use whether it still counts.

import { createServer } from 'node:http';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { struct } from './verdict.mjs';

export const AUDIENCE = 'https://tickets.example.com';
const ACTIONS = { GET: 'read', POST: 'write', DELETE: 'delete' };

export function api({ issuer, verdict, keys }) {
  const trusted = createLocalJWKSet(keys);
  const decide = async (request) => {
    const bearer = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    let claims;
    try {
      const options = { issuer, audience: AUDIENCE, algorithms: ['ES256'], typ: 'at+jwt', requiredClaims: ['exp', 'jti'] };
      ({ payload: claims } = await jwtVerify(bearer, trusted, options));
    } catch {
      return [401, 'no valid token'];
    }
    const { sub, jti, scope = '', client_id: client, act } = claims;
    const { verdict: answer } = await verdict.check({
      subject: { type: 'user', id: sub },
      action: { name: ACTIONS[request.method] ?? 'none' },
      resource: { type: 'ticket', id: request.url.slice(1) || 'all' },
      context: struct({ token: { jti, client_id: client, scope: scope.split(' '), actor: act?.sub ?? null } }),
    });
    const allowed = answer.effect === 'EFFECT_ALLOW' && answer.obligations.length === 0;
    return allowed ? [200, `${sub} by ${act?.sub}`] : [403, answer.reasons.map((reason) => reason.code).join(' ')];
  };
  return createServer((request, response) => {
    decide(request)
      // Whoever can't ask does not serve.
      .catch(() => [503, 'the decision could not be had'])
      .then(([status, text]) => response.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`));
  });
}
