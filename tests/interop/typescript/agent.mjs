// An MCP client on the official TypeScript SDK, for test_typescript_sdk.py: it calls whoami, loses what it is told to lose,
// and calls again. What happens is on stdout, a line of JSON each; somebody has to follow the address in `authorize`.
//
//     node agent.mjs MCP_URL CLIENT_METADATA [access_token | refresh_token | registration]

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [url, metadata, loses] = process.argv.slice(2);
const callbacks = createServer().listen(0, "127.0.0.1");
await once(callbacks, "listening");

const tell = (event, content) => console.log(JSON.stringify({ event, content }));

/** The SDK's storage, in memory, and its way to the person. */
const provider = {
  redirectUrl: `http://127.0.0.1:${callbacks.address().port}/callback`,
  get clientMetadata() {
    return { client_name: "TypeScript agent", redirect_uris: [this.redirectUrl], ...JSON.parse(metadata) };
  },
  state() {
    return (this.expected = randomUUID());
  },
  clientInformation() {
    return this.client;
  },
  saveClientInformation(client) {
    tell("client", (this.client = client));
  },
  tokens() {
    return this.kept;
  },
  saveTokens(tokens) {
    tell("tokens", (this.kept = tokens));
  },
  codeVerifier() {
    return this.verifier;
  },
  saveCodeVerifier(verifier) {
    this.verifier = verifier;
  },
  invalidateCredentials(what) {
    if (what === "all" || what === "client") this.client = undefined;
    if (what === "all" || what === "tokens") this.kept = undefined;
  },
  redirectToAuthorization(address) {
    tell("authorize", address.href);
  },
};

/** The code that the person brings. The SDK leaves it to its users to compare the state. */
async function code() {
  const [request, response] = await once(callbacks, "request");
  response.setHeader("Connection", "close").end("Thank you.");
  const answer = new URL(request.url, provider.redirectUrl).searchParams;
  if (answer.get("state") !== provider.expected) throw new Error("the state is not ours");
  return answer.get("code");
}

async function whoami() {
  const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
  const client = new Client({ name: "agent", version: "1" });
  try {
    await client.connect(transport);
    const { isError, structuredContent, content } = await client.callTool({ name: "whoami" });
    tell(isError ? "complaint" : "whoami", structuredContent ?? content);
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    await transport.finishAuth(await code());
    await whoami();
  } finally {
    await client.close();
  }
}

await whoami();
if (loses) {
  provider.kept = { ...provider.kept, access_token: "gone" };
  if (loses === "refresh_token") provider.kept = { ...provider.kept, refresh_token: "gone" };
  if (loses === "registration") provider.client = { ...provider.client, client_id: "gone" };
  await whoami();
}
callbacks.close();
