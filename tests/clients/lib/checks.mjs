// What every page's code must show. A page says how it does these; node:test says `ok …` and `not ok …`.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

export const pooled = process.env.ROUTE === "PgBouncer";

export class Stop extends Error {}

/** The SQLSTATE of what a driver, or whatever is above it, has thrown. */
export function sqlstate(error) {
  for (let e = error; e; e = e.cause ?? e.driverError ?? e.meta?.driverAdapterError) {
    const code = e.cause?.originalCode ?? e.code;
    if (/^[0-9A-Z]{5}$/.test(code ?? "") && !/^P\d/.test(code)) return code;
  }
  throw error;
}

export async function refused(work) {
  const error = await work().then(() => assert.fail("was not refused"), (error) => error);
  return { code: sqlstate(error), text: `${error.message} ${error.cause?.message ?? ""}` };
}

/** What a program says, which must end well. */
export function run(...command) {
  const done = spawnSync(command[0], command.slice(1), { encoding: "utf8" });
  assert.equal(done.status, 0, `${command.join(" ")}\n${done.stdout}${done.stderr}`);
  return done.stdout.trim();
}

/**
 * notes(id): the notes of the tenant's orders, sorted. add(id, note) and remove(id, note), in a transaction of their own.
 * fail(id, note): adds and then throws Stop in the block. forget(): reads the orders on a connection of the pool with no
 * tenant. outside(): what tenant.current_id() says there.
 */
export function same({ notes, add, remove, fail, forget, outside }) {
  test("a tenant sees its own rows only", async () => {
    assert.deepEqual(await notes("acme"), ["anvil"]);
    assert.deepEqual(await notes("globex"), ["stapler"]);
  });

  test("a row is the tenant's that wrote it", async () => {
    await add("acme", "rope");
    assert.deepEqual(await notes("acme"), ["anvil", "rope"]);
    assert.deepEqual(await notes("globex"), ["stapler"]);
    await remove("acme", "rope");
  });

  test("forgetting is refused", async () => {
    await notes("acme"); // the pool has a connection that was in a tenant
    const { code, text } = await refused(forget);
    assert.equal(code, "TN001");
    assert.match(text, /no tenant: table public.orders is protected/);
  });

  test("an error in the block leaves no tenant and no row", async () => {
    await assert.rejects(fail("acme", "lost"), Stop);
    assert.equal(await outside(), null);
    assert.deepEqual(await notes("acme"), ["anvil"]);
    assert.deepEqual(await notes("globex"), ["stapler"]);
  });

  test("an unknown tenant is refused and the pool goes on", async () => {
    assert.equal((await refused(() => notes("nobody"))).code, "TN002");
    assert.deepEqual(await notes("acme"), ["anvil"]);
  });

  test("two tenants at once do not mix", async () => {
    const loop = async (id, expected) => {
      for (let i = 0; i < 25; i++) assert.deepEqual(await notes(id), [expected]);
    };
    const both = [loop, loop, loop].flatMap((loop) => [loop("acme", "anvil"), loop("globex", "stapler")]);
    await Promise.all(both);
  });
}
