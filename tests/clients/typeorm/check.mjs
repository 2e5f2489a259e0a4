import assert from "node:assert/strict";
import { after, test } from "node:test";

import { DataSource, EntitySchema } from "typeorm";

import { refused, run, same, Stop } from "./checks.mjs";
import { entities, Line, Order } from "./entities.mjs";
import { forget } from "./forget.mjs";
import { FirstLines1700000000002, Lines1700000000001 } from "./migrations.mjs";
import { source, withTenant } from "./tenant.mjs";
import { rolledBack } from "./testing.mjs";

const migrations = [Lines1700000000001, FirstLines1700000000002];
const asOwner = (entities) => new DataSource({ type: "postgres", url: process.env.OWNER_URL, entities, migrations });
const owner = await asOwner(entities).initialize();
await owner.runMigrations();
await source.initialize();
after(() => Promise.all([source.destroy(), owner.destroy()]));

const notes = (id) =>
  withTenant(id, async (manager) => (await manager.find(Order, { order: { note: "asc" } })).map((order) => order.note));
const remove = (id, note) => withTenant(id, (manager) => manager.delete(Order, { note }));

same({
  notes,
  add: (id, note) => withTenant(id, (manager) => manager.save(Order, { note })),
  remove,
  fail: (id, note) =>
    withTenant(id, async (manager) => {
      await manager.save(Order, { note });
      throw new Stop();
    }),
  forget,
  outside: async () => (await source.query("select tenant.current_id() id"))[0].id,
});

test("the page's use", async () => {
  assert.equal(run("node", "use.mjs"), "[ 'anvil', 'mallet' ]");
  await remove("acme", "mallet");
});

test("the rows of all tenants were migrated", async () => {
  for (const id of ["acme", "globex"]) {
    const lines = await withTenant(id, (manager) => manager.find(Line, { relations: { order: true } }));
    assert.deepEqual(lines.map((line) => line.order.tenantId), [id]);
  }
});

const proposed = async (source) => {
  const { upQueries } = await source.driver.createSchemaBuilder().log();
  return upQueries.map(({ query }) => query).filter((query) => /tenant|policy|row level/i.test(query));
};

test("nothing of protect's is to be undone", async () => {
  assert.deepEqual(await proposed(owner), []);
});

test("it would be where the entities do not say it", async () => {
  const without = entities.map(({ options: { indices, ...options } }) => {
    const { tenantId: { default: _, ...tenantId }, ...columns } = options.columns;
    return new EntitySchema({ ...options, columns: { tenantId, ...columns } });
  });
  const other = await asOwner(without).initialize();
  const queries = (await proposed(other)).join("\n");
  await other.destroy();
  assert.match(queries, /DROP INDEX "public"."orders_tenant_id_idx"/);
  assert.match(queries, /ALTER TABLE "orders" ALTER COLUMN "tenant_id" DROP DEFAULT/);
});

test("a savepoint keeps the tenant", async () => {
  await withTenant("acme", async (manager) => {
    await assert.rejects(manager.transaction(() => Promise.reject(new Stop())), Stop);
    assert.equal(await manager.count(Order), 1);
  });
});

test("a row for another tenant is refused, and one of another's key is not there", async () => {
  const smuggle = () => withTenant("acme", (manager) => manager.insert(Order, { note: "x", tenantId: "globex" }));
  assert.equal((await refused(smuggle)).code, "42501");
  const [{ id }] = await withTenant("globex", (manager) => manager.find(Order));
  assert.equal(await withTenant("acme", (manager) => manager.findOneBy(Order, { id })), null);
});

test("a test is rolled back", async () => {
  await rolledBack("acme", async (manager) => {
    await manager.save(Order, { note: "gone" });
    await rolledBack("globex", async (manager) => assert.equal(await manager.count(Order), 1));
  });
  assert.deepEqual(await notes("acme"), ["anvil"]);
});
