// Where oidc-provider keeps everything: one table of PostgreSQL, as its contract for adapters asks.
//
// Each statement has a name, so a connection parses it once. The payload is in no index: an update leaves the indexes alone.

import pg from "pg";

const SCHEMA = `
  CREATE TABLE oidc_payload (
    model text NOT NULL,
    id text NOT NULL,
    payload jsonb NOT NULL,
    grant_id text,
    uid text,
    expires_at timestamptz,
    PRIMARY KEY (model, id)
  );
  CREATE INDEX ON oidc_payload (grant_id, model) WHERE grant_id IS NOT NULL;
  CREATE INDEX ON oidc_payload (uid, model) WHERE uid IS NOT NULL;
`;

const LIVES = "(expires_at IS NULL OR expires_at > now())";

const STATEMENTS = {
  upsert: `
    INSERT INTO oidc_payload (model, id, payload, grant_id, uid, expires_at)
    VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
    ON CONFLICT (model, id) DO UPDATE SET payload = excluded.payload, grant_id = excluded.grant_id, uid = excluded.uid,
      expires_at = excluded.expires_at`,
  find: `SELECT payload FROM oidc_payload WHERE model = $1 AND id = $2 AND ${LIVES}`,
  findByUid: `SELECT payload FROM oidc_payload WHERE model = $1 AND uid = $2 AND ${LIVES}`,
  consume: `
    UPDATE oidc_payload SET payload = payload || jsonb_build_object('consumed', $3::bigint) WHERE model = $1 AND id = $2`,
  destroy: "DELETE FROM oidc_payload WHERE model = $1 AND id = $2",
  revokeByGrantId: "DELETE FROM oidc_payload WHERE model = $1 AND grant_id = $2",
};

let pool;

/** Of this process, with as many connections as the other servers' workers have. */
export function connect(connectionString) {
  pool = new pg.Pool({ connectionString, max: 6 });
  pool.on("error", console.error); // of a connection that nobody was using: the pool opens another
}

/** In an empty database, before anybody else is connected. */
export async function createTable(connectionString) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(SCHEMA);
  await client.end();
}

async function run(name, ...values) {
  const { rows } = await pool.query({ name, text: STATEMENTS[name], values });
  return rows[0]?.payload;
}

/** What oidc-provider makes one of for each of its models. It asks for no user codes: there is no device flow here. */
export class Adapter {
  constructor(model) {
    this.model = model;
  }

  /** `lifetimeSeconds` is undefined for what does not expire. */
  async upsert(id, payload, lifetimeSeconds) {
    const { grantId, uid } = payload;
    await run("upsert", this.model, id, JSON.stringify(payload), grantId, uid, lifetimeSeconds);
  }

  async find(id) {
    return run("find", this.model, id);
  }

  async findByUid(uid) {
    return run("findByUid", this.model, uid);
  }

  async consume(id) {
    await run("consume", this.model, id, Math.floor(Date.now() / 1000));
  }

  async destroy(id) {
    await run("destroy", this.model, id);
  }

  /** It is asked of each model that a grant may have tokens of. */
  async revokeByGrantId(grantId) {
    await run("revokeByGrantId", this.model, grantId);
  }
}
