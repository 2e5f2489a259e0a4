import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";

import { eq, sql } from "drizzle-orm";

import { pooled, refused, run, same, Stop } from "./checks.mjs";
import { forget } from "./forget.mjs";
import { lines, orders } from "./schema.mjs";
import { db, pool, withTenant } from "./tenant.mjs";
import { rolledBack } from "./testing.mjs";

after(() => pool.end());
const kit = (...command) => run("npx", "--no-install", "drizzle-kit", ...command, "--config", "drizzle.config.mjs");
const migration = (number) => `drizzle/${readdirSync("drizzle").find((name) => name.startsWith(number))}`;

rmSync("drizzle", { recursive: true, force: true }); // of the route before
kit("generate");
appendFileSync(migration("0000"), readFileSync("protect.sql"));
run("node", "migrate.mjs");

const notes = (id) =>
  withTenant(id, async (tx) => (await tx.select().from(orders).orderBy(orders.note)).map((order) => order.note));
const add = (id, note) => withTenant(id, (tx) => tx.insert(orders).values({ note }));
const remove = (id, note) => withTenant(id, (tx) => tx.delete(orders).where(eq(orders.note, note)));
await add("acme", "anvil");
await add("globex", "stapler");

same({
  notes,
  add,
  remove,
  fail: (id, note) =>
    withTenant(id, async (tx) => {
      await tx.insert(orders).values({ note });
      throw new Stop();
    }),
  forget,
  outside: async () => (await db.execute(sql`select tenant.current_id() id`)).rows[0].id,
});

test("the page's use", async () => {
  assert.equal(run("node", "use.mjs"), "[ { note: 'anvil' }, { note: 'mallet' } ]");
  await remove("acme", "mallet");
});

test("push has nothing to propose", { skip: pooled }, () => {
  assert.match(kit("push", "--force"), /No changes detected/);
});

test("push of a schema that does not say what protect makes is refused", { skip: pooled }, () => {
  const bare = readFileSync("schema.mjs", "utf8").replace(/policy\("tenant_\w+", "\w+"\),/g, "");
  writeFileSync("bare.mjs", bare);
  const config = readFileSync("drizzle.config.mjs", "utf8").replace("./schema.mjs", "./bare.mjs");
  writeFileSync("bare.config.mjs", config);
  const push = ["--no-install", "drizzle-kit", "push", "--force", "--config", "bare.config.mjs"];
  const { stdout, stderr } = spawnSync("npx", push, { encoding: "utf8" });
  assert.match(stdout + stderr, /TN030/);
  assert.match(kit("push", "--force"), /No changes detected/);
});

test("the rows of all tenants are migrated", async () => {
  kit("generate", "--custom", "--name", "backfill");
  writeFileSync(migration("0001"), readFileSync("backfill.sql"));
  run("node", "migrate.mjs");
  for (const id of ["acme", "globex"]) {
    assert.deepEqual((await withTenant(id, (tx) => tx.select().from(lines))).map((line) => line.tenantId), [id]);
  }
});

test("a savepoint keeps the tenant", async () => {
  await withTenant("acme", async (tx) => {
    await assert.rejects(tx.transaction(() => Promise.reject(new Stop())), Stop);
    assert.equal((await tx.select().from(orders)).length, 1);
  });
});

test("a row for another tenant is refused", async () => {
  const smuggle = () => withTenant("acme", (tx) => tx.insert(orders).values({ note: "x", tenantId: "globex" }));
  assert.equal((await refused(smuggle)).code, "42501");
});

test("a test is rolled back", async () => {
  await rolledBack("acme", async (tx) => {
    await tx.insert(orders).values({ note: "gone" });
    await rolledBack("globex", async (tx) => assert.equal((await tx.select().from(orders)).length, 1));
  });
  assert.deepEqual(await notes("acme"), ["anvil"]);
});
