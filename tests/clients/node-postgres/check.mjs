import assert from "node:assert/strict";
import { after, test } from "node:test";

import { pooled, refused, run, same, Stop } from "./checks.mjs";
import { forget } from "./forget.mjs";
import { pool, withTenant } from "./tenant.mjs";
import { rolledBack } from "./testing.mjs";

after(() => pool.end());
const rows = async (client) => (await client.query("select note from orders order by note")).rows.map((row) => row.note);
const notes = (id) => withTenant(id, rows);
const insert = (client, note) => client.query("insert into orders (note) values ($1)", [note]);
const remove = (id, note) => withTenant(id, (client) => client.query("delete from orders where note = $1", [note]));

same({
  notes,
  add: (id, note) => withTenant(id, (client) => insert(client, note)),
  remove,
  fail: (id, note) =>
    withTenant(id, async (client) => {
      await insert(client, note);
      throw new Stop();
    }),
  forget: () => pool.query("select note from orders"),
  outside: async () => (await pool.query("select tenant.current_id() id")).rows[0].id,
});

test("the page's way to see it", async () => {
  assert.equal((await forget())[0], "TN001");
});

test("the page's use", async () => {
  assert.equal(run("node", "use.mjs"), "[ { note: 'anvil' }, { note: 'mallet' } ]");
  await remove("acme", "mallet");
});

test("the pool itself is in no tenant inside a block", async () => {
  const id = await withTenant("acme", async () => (await pool.query("select tenant.current_id() id")).rows[0].id);
  assert.equal(id, null);
});

test("an error that was caught does not pass for a commit", async () => {
  const work = async (client) => {
    await insert(client, "lost");
    await client.query("select 1/0").catch(() => {});
  };
  await assert.rejects(withTenant("acme", work), /rolled back/);
  assert.deepEqual(await notes("acme"), ["anvil"]);
});

test("a connection that was lent with its transaction open is of use to nobody", { skip: pooled }, async () => {
  const clients = await Promise.all([1, 2, 3, 4].map(() => pool.connect()));
  for (const client of clients) {
    await client.query("begin");
    await client.query("select tenant.enter('acme')");
  }
  for (const client of clients) client.release(); // an early return in four requests
  const next = await Promise.all(clients.map(() => refused(() => notes("globex"))));
  assert.deepEqual(next.map(({ code }) => code), ["TN017", "TN017", "TN017", "TN017"]);
  assert.deepEqual(await notes("globex"), ["stapler"]);
});

test("a dirty connection is not lent again", { skip: pooled }, async () => {
  await pool.query("create temporary table left_behind ()");
  let dirty = 0;
  for (let i = 0; i < 8; i++) await notes("acme").catch((error) => (dirty += error.code === "TN008"));
  assert.equal(dirty, 1);
});

test("named statements", async () => {
  for (const id of ["acme", "globex", "acme", "globex"]) {
    const query = { name: "orders", text: "select note from orders where id > $1", values: [0] };
    const found = await withTenant(id, async (client) => (await client.query(query)).rows.map((row) => row.note));
    assert.deepEqual(found, id === "acme" ? ["anvil"] : ["stapler"]);
  }
});

test("a test is rolled back", async () => {
  await rolledBack("acme", async (acme) => {
    await insert(acme, "gone");
    await rolledBack("globex", async (globex) => assert.deepEqual(await rows(globex), ["stapler"]));
    assert.deepEqual(await rows(acme), ["anvil", "gone"]);
  });
  assert.deepEqual(await notes("acme"), ["anvil"]);
});
