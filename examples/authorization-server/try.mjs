// Starts Verdict, the authorization server and the resource server on free ports, asks, and checks the answers.
//
// The program is `verdict` of the PATH, or what the variable VERDICT names.

import { execFile, spawn } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SignJWT, createLocalJWKSet, decodeJwt, exportJWK, generateKeyPair, jwtVerify } from 'jose';
import { AUDIENCE, api } from './api.mjs';
import { server } from './server.mjs';
import { services } from './verdict.mjs';

const PATIENCE = 20_000;
const VERDICT = process.env.VERDICT ?? 'verdict';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const LOGIN = 'https://login.example.com';

let wrong = 0;
function check(what, good, shown) {
  wrong += good ? 0 : 1;
  console.log(`${good ? 'ok  ' : 'BAD '} ${what}: ${shown}`);
}

const pause = (time) => new Promise((done) => setTimeout(done, time));

async function listen(listener) {
  await new Promise((done) => listener.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${listener.address().port}`;
}

async function key(kid) {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const [secret, open] = await Promise.all([exportJWK(privateKey), exportJWK(publicKey)]);
  const about = { kid, alg: 'ES256', use: 'sig' };
  return { privateKey, secret: { ...secret, ...about }, open: { ...open, ...about } };
}

// Verdict, once it is ready: its process, where its gRPC door is, and the socket of its operators. It believes the tokens of
// `issuer`, by its `keys`, and keeps in the folder what was revoked.
async function verdict(folder, policies, issuer, keys) {
  await writeFile(join(folder, 'issuer.jwks.json'), JSON.stringify(keys));
  const issuers = { main: { issuer, jwks_file: join(folder, 'issuer.jwks.json'), algorithms: ['ES256'], audience: [AUDIENCE] } };
  const config = join(folder, 'verdict.yaml');
  const admin = `unix:${join(folder, 'admin.sock')}`;
  const revocation = { store: join(folder, 'revocations.redb') };
  await writeFile(config, JSON.stringify({ identity: { issuers }, revocation }));
  const flags = ['serve', '--config', config, '--policies', policies, '--grpc', '127.0.0.1:0', '--http', '127.0.0.1:0', '--admin', admin, '--log-format', 'json'];
  const child = spawn(VERDICT, flags, { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.on('data', (data) => { text += data; });
  for (const end = Date.now() + PATIENCE; Date.now() < end; await pause(20)) {
    const lines = text.split('\n').filter((line) => line.startsWith('{')).flatMap((line) => {
      try { return [JSON.parse(line)]; } catch { return []; }
    });
    const doors = lines.find((line) => line.message === 'listening');
    if (doors && lines.some((line) => line.message === 'policies active')) return { child, grpc: doors.grpc, admin };
    if (child.exitCode !== null) break;
  }
  child.kill();
  throw new Error(`verdict is not ready: ${text}`);
}

async function main(folder) {
  const policies = join(folder, 'policies');
  await cp(fileURLToPath(new URL('policies', import.meta.url)), policies, { recursive: true });
  const [own, login] = await Promise.all([key('server'), key('login')]);
  let provider;
  const front = createServer((request, response) => provider(request, response));
  const issuer = await listen(front);
  const { child, grpc, admin } = await verdict(folder, policies, issuer, { keys: [own.open] });
  const asked = services(grpc);
  const clients = [{
    client_id: 'support-bot',
    client_secret: 'a secret of this example and of nothing else',
    grant_types: [EXCHANGE],
    response_types: [],
    redirect_uris: [],
    scope: 'tickets:read tickets:write tickets:delete',
  }];
  const keys = { keys: [login.open] };
  provider = server({ issuer, verdict: asked, login: { issuer: LOGIN, keys }, keys: [own.secret], clients }).callback();
  const tickets = api({ verdict: asked });
  const at = await listen(tickets);

  const signIn = (sub, signer = login) => new SignJWT({ amr: ['pwd'] })
    .setProtectedHeader({ alg: 'ES256', kid: 'login' }).setSubject(sub).setIssuer(LOGIN).setAudience(issuer)
    .setIssuedAt().setExpirationTime('5m').sign(signer.privateKey);
  const exchange = async (subject, scope, resource = AUDIENCE) => {
    const basic = Buffer.from(`support-bot:${encodeURIComponent(clients[0].client_secret)}`).toString('base64');
    const answer = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams({
        grant_type: EXCHANGE,
        subject_token: subject,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        scope,
        resource,
      }),
    });
    return { status: answer.status, ...(await answer.json()) };
  };
  const use = async (method, token) => {
    const answer = await fetch(`${at}/7`, { method, headers: token ? { authorization: `Bearer ${token}` } : {} });
    return `${answer.status} ${(await answer.text()).trim()}`;
  };

  try {
    const alice = await signIn('alice');
    const got = await exchange(alice, 'tickets:read tickets:delete');
    check('an agent gets what its user and it may do', got.scope === 'tickets:read', got.scope ?? got.error);
    check('for as long as the policy says', got.expires_in > 290 && got.expires_in <= 300, got.expires_in);
    const claims = decodeJwt(got.access_token);
    const { sub, aud, act, tenant } = claims;
    const inside = JSON.stringify({ sub, aud, act, tenant });
    const meant = JSON.stringify({ sub: 'alice', aud: AUDIENCE, act: { sub: 'support-bot' }, tenant: 'north' });
    check('the token says for whom, for what, and who acts', inside === meant, inside);
    for (const [what, wanted, answer] of [
      ['none of its scopes', 'invalid_scope', await exchange(alice, 'tickets:delete')],
      ['another target', 'invalid_target', await exchange(alice, 'tickets:read', 'https://elsewhere.example.com')],
      ['a user who has let nobody act', 'invalid_request', await exchange(await signIn('bob'), 'tickets:read')],
      ['a token that another signed', 'invalid_request', await exchange(await signIn('alice', own), 'tickets:read')],
    ]) {
      check(what, answer.status === 400 && answer.error === wanted && !answer.access_token, answer.error);
    }

    const token = got.access_token;
    for (const [method, bearer, wanted] of [
      ['GET', token, '200 a ticket'],
      ['DELETE', token, '403 scope_missing'],
      ['GET', undefined, '401 no token'],
      ['GET', `${token.slice(0, -8)}AAAAAAAA`, '403 signature_invalid'],
      ['GET', alice, '403 issuer_unknown'],
    ]) {
      const answer = await use(method, bearer);
      check(`${method} a ticket`, answer === wanted, answer);
    }

    // Now the token is revoked: its signature is as good as before.
    const began = performance.now();
    const flags = ['revoke', '--server', admin, '--jti', claims.jti, '--reason', 'this is an example'];
    await promisify(execFile)(VERDICT, flags);
    let answer = await use('GET', token);
    for (; answer.startsWith('200') && performance.now() - began < PATIENCE; await pause(5)) {
      answer = await use('GET', token);
    }
    const took = Math.round(performance.now() - began);
    check('a revoked token stops working within a second', answer === '403 token_revoked' && took < 1_000, `${answer} after ${took} ms`);
    const valid = await jwtVerify(token, createLocalJWKSet({ keys: [own.open] }), { issuer, audience: AUDIENCE });
    check('though its signature is good, and its time not over', valid.payload.jti === claims.jti, valid.payload.exp - Math.floor(Date.now() / 1_000));

    // Without Verdict there is no token, and no token is honoured.
    child.kill('SIGKILL');
    const unasked = await exchange(alice, 'tickets:read');
    check('no Verdict, no token', unasked.status >= 400 && !unasked.access_token, unasked.error);
    const unserved = await use('GET', token);
    check('no Verdict, no service', unserved.startsWith('503'), unserved);
  } finally {
    child.kill('SIGKILL');
    asked.close();
    [front, tickets].forEach((listener) => { listener.close(); listener.closeAllConnections(); });
  }
  return wrong;
}

const folder = await mkdtemp(join(tmpdir(), 'verdict-example-'));
try {
  process.exitCode = await main(folder);
} finally {
  await rm(folder, { recursive: true });
}
