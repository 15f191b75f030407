// oidc-provider over PostgreSQL: a process that makes the table and the keys, and two workers that share its port.
//
//     BENCH_PORT=... BENCH_DATABASE_URL=... node server.mjs

import cluster from "node:cluster";
import { generateKeyPairSync, randomBytes, randomUUID } from "node:crypto";
import { createServer } from "node:http";

import Provider, { errors } from "oidc-provider";

import { connect, createTable } from "./adapter.mjs";
import { configuration, RESOURCES, SCOPE } from "./configuration.mjs";

const WORKERS = 2;
const { BENCH_PORT: port, BENCH_DATABASE_URL: databaseUrl } = process.env;

async function lead() {
  await createTable(databaseUrl);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const keys = {
    BENCH_SIGNING_KEY: JSON.stringify({ ...privateKey.export({ format: "jwk" }), alg: "ES256", use: "sig" }),
    BENCH_COOKIE_KEY: randomBytes(32).toString("base64url"),
  };
  for (let i = 0; i < WORKERS; i += 1) cluster.fork(keys);
  cluster.on("exit", () => process.exit(1)); // a measurement of what is left would say nothing
}

function work() {
  connect(databaseUrl);
  const { BENCH_SIGNING_KEY: signingKey, BENCH_COOKIE_KEY: cookieKey } = process.env;
  const settings = configuration(errors, JSON.parse(signingKey), cookieKey);
  const provider = new Provider(`http://localhost:${port}`, settings);
  provider.on("server_error", (ctx, error) => console.error(error));
  const answer = provider.callback();
  const server = createServer((request, response) => {
    if (!request.url.startsWith("/interaction/")) return answer(request, response);
    signIn(provider, request, response).catch((error) => {
      console.error(error);
      response.writeHead(500).end();
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(port, "127.0.0.1");
}

/** In place of an operator's pages, only for seeding: whoever comes is somebody new, and agrees to everything. */
async function signIn(provider, request, response) {
  const { params } = await provider.interactionDetails(request, response);
  const accountId = randomUUID();
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  for (const resource of Object.keys(RESOURCES)) grant.addResourceScope(resource, SCOPE);
  const grantId = await grant.save();
  await provider.interactionFinished(request, response, { login: { accountId }, consent: { grantId } });
}

if (cluster.isPrimary) await lead();
else work();
