// An authorization server: oidc-provider, with a token exchange (RFC 8693) by which an agent gets a token for a user.
//
// oidc-provider authenticates the client, and this verifies the user's token; then Verdict is asked, and only what it
// grants is minted. Whoever cannot ask does not mint.

import { createLocalJWKSet, jwtVerify } from 'jose';
import Provider, { errors } from 'oidc-provider';
import { json, struct } from './verdict.mjs';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const PARAMETERS = ['subject_token', 'subject_token_type', 'requested_token_type', 'resource', 'scope'];

// `login` has what the user's tokens are like: their `issuer`, their `keys`; `keys` are this server's own.
export function server({ issuer, verdict, login, keys, clients }) {
  const minted = new WeakMap();
  const provider = new Provider(issuer, {
    clients,
    jwks: { keys },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    scopes: ['tickets:read', 'tickets:write', 'tickets:delete'],
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: { enabled: true, getResourceServerInfo: () => { throw new errors.InvalidTarget(); } },
    },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    extraTokenClaims: (_, token) => minted.get(token),
  });
  const trusted = createLocalJWKSet(login.keys);

  provider.registerGrantType(EXCHANGE, async (ctx) => {
    const { client, params } = ctx.oidc;
    if (params.subject_token_type !== ACCESS_TOKEN || (params.requested_token_type ?? ACCESS_TOKEN) !== ACCESS_TOKEN) {
      throw new errors.InvalidRequest('access tokens are exchanged for access tokens');
    }
    // The grant is validated here, and not by Verdict.
    const options = { issuer: login.issuer, audience: issuer, algorithms: ['ES256'], requiredClaims: ['sub', 'exp'] };
    const { payload: user } = await jwtVerify(params.subject_token ?? '', trusted, options).catch(() => {
      throw new errors.InvalidRequest('the subject token is not valid');
    });
    const agent = { type: 'agent', id: client.clientId };
    const answer = await verdict.authorize({
      grantType: EXCHANGE,
      client: {
        id: client.clientId,
        authenticationMethod: client.clientAuthMethod,
        registeredScopes: client.scope?.split(' ') ?? [],
      },
      subject: { type: 'user', id: user.sub },
      authentication: { acr: user.acr ?? '', amr: user.amr ?? [], authTime: user.auth_time ?? 0 },
      actor: { party: agent },
      scopes: params.scope?.split(' ') ?? [],
      resource: params.resource ? [params.resource].flat() : [],
      context: struct(user.may_act ? { may_act: user.may_act } : {}),
    }).catch((error) => {
      console.error('Verdict was not asked:', error.message);
      throw new errors.TemporarilyUnavailable();
    });
    // Reasons are for the operator; the client gets the error's code.
    const reasons = answer.verdict.reasons.map((reason) => reason.code).join(' ');
    const cuts = answer.cuts.map((cut) => `${cut.what} ${cut.value}: ${cut.code}`).join(', ');
    console.log(`${answer.verdict.decisionId} ${answer.verdict.effect} ${reasons} ${cuts}`);
    // What an obligation asks for, this server does not know: that makes a deny of an allow.
    if (answer.verdict.effect !== 'EFFECT_ALLOW' || answer.verdict.obligations.length > 0) {
      throw new errors.CustomOIDCProviderError(answer.error || 'access_denied', 'the policy does not allow this token');
    }
    const token = new provider.AccessToken({
      client,
      accountId: user.sub,
      gty: 'token_exchange',
      expiresIn: answer.lifetimeCeiling.seconds,
    });
    token.scope = answer.grantedScopes.join(' ');
    token.resourceServer = new provider.ResourceServer(answer.audience.join(' '), {
      audience: answer.audience.length === 1 ? answer.audience[0] : answer.audience,
      accessTokenFormat: 'jwt',
      scope: token.scope,
      jwt: { sign: { alg: 'ES256' } },
    });
    minted.set(token, { ...json(answer.claims), act: { sub: client.clientId } });
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: ACCESS_TOKEN,
      token_type: 'Bearer',
      expires_in: token.expiration,
      scope: token.scope,
    };
  }, PARAMETERS, ['resource']);
  return provider;
}
