import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";

import { refused, run, same, Stop } from "./checks.mjs";
import { engine } from "./engine.mjs";

process.env.PRISMA_SCHEMA_ENGINE_BINARY = "/bin/true"; // which it would fetch: engine.mjs has it from npm
const schema = readFileSync("schema.prisma", "utf8");
run("npx", "--no-install", "prisma", "generate");
const { forget } = await import("./forget.mjs");
const { forTenant, prisma, withTenant } = await import("./tenant.mjs");
const { rolledBack } = await import("./testing.mjs");

after(() => prisma.$disconnect());
const orderBy = { note: "asc" };
const names = (orders) => orders.map((order) => order.note);
const remove = (id, note) => forTenant(id).order.deleteMany({ where: { note } });
const common = {
  remove,
  fail: (id, note) =>
    withTenant(id, async (tx) => {
      await tx.order.create({ data: { note } });
      throw new Stop();
    }),
  forget,
  outside: async () => (await prisma.$queryRaw`select tenant.current_id() id`)[0].id,
};

// Each operation by itself, and then in an interactive transaction.
same({
  ...common,
  notes: async (id) => names(await forTenant(id).order.findMany({ orderBy })),
  add: (id, note) => forTenant(id).order.create({ data: { note } }),
});
const notes = async (id) => names(await withTenant(id, (tx) => tx.order.findMany({ orderBy })));
same({ ...common, notes, add: (id, note) => withTenant(id, (tx) => tx.order.create({ data: { note } })) });

test("the page's use", async () => {
  assert.equal(run("node", "use.mjs"), "[ 0, 1 ]");
  await forTenant("acme").line.deleteMany();
  await remove("acme", "mallet");
});

test("raw queries of a tenant's client", async () => {
  const acme = forTenant("acme");
  assert.deepEqual(await acme.$queryRaw`select note from orders`, [{ note: "anvil" }]);
  assert.equal(await acme.$executeRaw`update orders set note = note`, 1);
});

test("nested writes, upserts and reads of relations", async () => {
  const { id } = await forTenant("acme").order.create({ data: { note: "two lines", lines: { create: [{}, {}] } } });
  for (const [tenant, count] of [["acme", 2], ["globex", 0]]) {
    const found = await forTenant(tenant).order.findMany({ where: { id }, include: { lines: true } });
    assert.equal(found.flatMap((order) => order.lines).length, count);
  }
  const change = { where: { id }, data: { note: "other" } };
  assert.match((await forTenant("globex").order.update(change).catch((error) => error)).code, /P2025/);
  const upsert = { where: { id }, create: { note: "none" }, update: { note: "other" } };
  assert.equal((await forTenant("acme").order.upsert(upsert)).note, "other");
  await forTenant("acme").line.deleteMany();
  await remove("acme", "other");
});

test("a row for another tenant is refused", async () => {
  const smuggle = () => forTenant("acme").order.create({ data: { note: "x", tenantId: "globex" } });
  assert.equal((await refused(smuggle)).code, "42501");
});

test("a transaction of a tenant's client is one", async () => {
  const acme = forTenant("acme");
  const work = async (tx) => {
    await tx.order.create({ data: { note: "undone" } });
    assert.equal(await tx.order.count(), 2);
    throw new Stop();
  };
  await assert.rejects(acme.$transaction(work), Stop);
  assert.throws(() => acme.$transaction([acme.order.count()]), TypeError);
  assert.deepEqual(await notes("acme"), ["anvil"]);
});

test("a test is rolled back", async () => {
  await rolledBack("acme", async (tx) => {
    await tx.order.create({ data: { note: "gone" } });
    await rolledBack("globex", async (tx) => assert.equal(await tx.order.count(), 1));
  });
  assert.deepEqual(await notes("acme"), ["anvil"]);
});

test("prisma db pull says what the page's schema says, and prisma db push has nothing to do", async () => {
  const { pull, push, end } = await engine(process.env.OWNER_URL, schema);
  const pulled = await pull();
  for (const words of [/tenant_id String +@default\(dbgenerated\("tenant\.current_id\(\)"\)\)/, /@@index\(\[tenant_id\]\)/]) {
    assert.match(pulled, words);
  }
  assert.deepEqual(await push(), { executedSteps: 0, unexecutable: [], warnings: [] });
  await end();
});

test("prisma migrate deploy defines data and fills in, and is in no tenant after it", async () => {
  const { deploy, resolve, rollBack, end } = await engine(process.env.OWNER_URL, schema);
  const vat = readFileSync("migration.sql", "utf8");
  const forgetful = { "0_baseline": "", "1_vat": vat.replace(/select tenant.enter_system.*/, "") };
  await resolve("0_baseline", forgetful);
  await assert.rejects(deploy(forgetful), /no tenant: table public\.orders is protected from its owner too/);
  await rollBack("1_vat");
  const migrations = { "0_baseline": "", "1_vat": vat };
  assert.deepEqual(await deploy(migrations), ["1_vat"]);
  assert.deepEqual(await deploy(migrations), []);
  for (const id of ["acme", "globex"]) assert.deepEqual(await forTenant(id).$queryRaw`select vat from orders`, [{ vat: 19 }]);
  assert.deepEqual(await forTenant("acme").$queryRaw`select count(*)::int as n from rates`, [{ n: 0 }]);
  await end();
});
