// oidc-provider's configuration: its defaults, with what an authorization server for MCP has to have.

import { Adapter } from "./adapter.mjs";

const DAY = 86400;

export const SCOPE = "read";

/** Which resource has tokens of which kind: a JWT is stored nowhere here, and so cannot be introspected. `__init__.py` asks for
 *  tokens by the same names. */
export const RESOURCES = {
  "https://mcp.example.com/mcp": { accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } },
  "https://introspected.example.com/mcp": { accessTokenFormat: "opaque" },
};

/** `errors` are those of the library, `signingKey` is a private JWK, `cookieKey` a string; the keys are one pair for all
 *  workers. */
export function configuration(errors, signingKey, cookieKey) {
  return {
    adapter: Adapter,
    clientDefaults: { id_token_signed_response_alg: "ES256" }, // there is no RSA key
    cookies: { keys: [cookieKey] },
    jwks: { keys: [signingKey] },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    // An agent goes on when its person has closed the browser, and asks for no scope that says so.
    issueRefreshToken: async (ctx, client) => client.grantTypeAllowed("refresh_token"),
    expiresWithSession: async () => false,
    // Everybody has an account, without a look into a table.
    findAccount: async (ctx, accountId) => ({ accountId, claims: async () => ({ sub: accountId }) }),
    ttl: {
      AccessToken: 600,
      AuthorizationCode: 60,
      Grant: 90 * DAY,
      Interaction: 600,
      RefreshToken: 30 * DAY,
      Session: 14 * DAY,
    },
    features: {
      devInteractions: { enabled: false },
      introspection: { enabled: true, allowedPolicy: async (ctx, client) => client.clientAuthMethod !== "none" },
      registration: { enabled: true },
      revocation: { enabled: true, allowedPolicy: async (ctx, client, token) => token.clientId === client.clientId },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: async (ctx, resource) => {
          if (!Object.hasOwn(RESOURCES, resource)) throw new errors.InvalidTarget();
          return { scope: SCOPE, accessTokenTTL: 600, ...RESOURCES[resource] };
        },
      },
    },
  };
}
