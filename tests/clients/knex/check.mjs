import assert from "node:assert/strict";
import { after, test } from "node:test";

import knex from "knex";

import { refused, run, same, Stop } from "./checks.mjs";
import { forget } from "./forget.mjs";
import knexfile from "./knexfile.mjs";
import { db, withTenant } from "./tenant.mjs";
import { rolledBack } from "./testing.mjs";

const owner = knex(knexfile);
after(() => Promise.all([db.destroy(), owner.destroy()]));
await owner.migrate.latest();

const notes = (id) => withTenant(id, (trx) => trx("orders").orderBy("note").pluck("note"));
const remove = (id, note) => withTenant(id, (trx) => trx("orders").where({ note }).delete());

same({
  notes,
  add: (id, note) => withTenant(id, (trx) => trx("orders").insert({ note })),
  remove,
  fail: (id, note) =>
    withTenant(id, async (trx) => {
      await trx("orders").insert({ note });
      throw new Stop();
    }),
  forget,
  outside: async () => (await db.raw("select tenant.current_id() id")).rows[0].id,
});

test("the page's use", async () => {
  assert.equal(run("node", "use.mjs"), "[ 'anvil', 'mallet' ]");
  await remove("acme", "mallet");
});

test("the rows of all tenants were migrated", async () => {
  for (const id of ["acme", "globex"]) {
    assert.deepEqual(await withTenant(id, (trx) => trx("lines").pluck("tenant_id")), [id]);
  }
});

test("down and up again", async () => {
  await owner.migrate.rollback(undefined, true);
  await owner.migrate.latest();
  assert.deepEqual(await withTenant("acme", (trx) => trx("lines").pluck("tenant_id")), ["acme"]);
});

test("a savepoint keeps the tenant", async () => {
  await withTenant("acme", async (trx) => {
    await assert.rejects(trx.transaction(() => Promise.reject(new Stop())), Stop);
    assert.deepEqual(await trx("orders").pluck("note"), ["anvil"]);
  });
});

test("a row for another tenant is refused, and one of another's key is not there", async () => {
  const smuggle = () => withTenant("acme", (trx) => trx("orders").insert({ note: "x", tenant_id: "globex" }));
  assert.equal((await refused(smuggle)).code, "42501");
  const [{ id }] = await withTenant("globex", (trx) => trx("orders").select("id"));
  assert.equal(await withTenant("acme", (trx) => trx("orders").where({ id }).update({ note: "x" })), 0);
});

test("a test is rolled back", async () => {
  await rolledBack("acme", async (trx) => {
    await trx("orders").insert({ note: "gone" });
    await rolledBack("globex", async (trx) => assert.deepEqual(await trx("orders").pluck("note"), ["stapler"]));
  });
  assert.deepEqual(await notes("acme"), ["anvil"]);
});
