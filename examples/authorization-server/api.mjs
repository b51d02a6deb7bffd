// A resource server: at each use of a token it asks Verdict, which verifies the token and decides on what is true now.

import { createServer } from 'node:http';

export const AUDIENCE = 'https://tickets.example.com';
const ACTIONS = { GET: 'read', POST: 'write', DELETE: 'delete' };

export function api({ verdict }) {
  const decide = async (request) => {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    if (!token) return [401, 'no token'];
    const { verdict: answer } = await verdict.check({
      // Who asks is what the token says, once it is verified; nothing is taken from it here.
      credential: { token },
      action: { name: ACTIONS[request.method] ?? 'none' },
      resource: { type: 'ticket', id: request.url.slice(1) || 'all' },
    });
    const allowed = answer.effect === 'EFFECT_ALLOW' && answer.obligations.length === 0;
    return allowed ? [200, 'a ticket'] : [403, answer.reasons.map((reason) => reason.code).join(' ')];
  };
  return createServer((request, response) => {
    decide(request)
      // Whoever can't ask does not serve.
      .catch(() => [503, 'the decision could not be had'])
      .then(([status, text]) => response.writeHead(status, { 'content-type': 'text/plain' }).end(`${text}\n`));
  });
}
