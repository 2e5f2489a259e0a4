// Prisma's engine for migrations as npm has it, in WebAssembly: of the very version that the command line downloads.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { PrismaPg } from "@prisma/adapter-pg";
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from "@prisma/driver-adapter-utils";
import * as glue from "@prisma/schema-engine-wasm/schema_engine_bg";
import pg from "pg";

const module = createRequire(import.meta.url).resolve("@prisma/schema-engine-wasm");
const code = readFileSync(module.replace("schema_engine.js", "schema_engine_bg.wasm"));
globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (message) => console.error(message) };
const { instance } = await WebAssembly.instantiate(code, { "./schema_engine_bg.js": glue });
glue.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();

/** Remembers which columns of its last result are of type `"char"`, which the adapter does not know. */
class Pool extends pg.Pool {
  async query(...args) {
    const result = await super.query(...args);
    this.characters = (result.fields ?? []).map((field) => field.dataTypeID === 18);
    for (const field of result.fields ?? []) if (field.dataTypeID === 18) field.dataTypeID = 25;
    return result;
  }
}

/** As the downloaded engine does it: a file in one message, so in one transaction. */
function adapterOf(pool, adapter) {
  const queryRaw = adapter.queryRaw.bind(adapter);
  adapter.queryRaw = async (query) => {
    const result = await queryRaw(query);
    const columnTypes = result.columnTypes.map((type, at) => (pool.characters[at] ? ColumnTypeEnum.Character : type));
    return { ...result, columnTypes };
  };
  adapter.executeScript = async (script) => {
    await pool.query(script).catch((error) => {
      pool.failure = error;
      throw error;
    });
  };
  return adapter;
}

const filters = { externalTables: [], externalEnums: [] };
const files = (content) => ({ files: [{ path: "/schema.prisma", content }] });
const list = (migrations) => ({
  baseDir: "/migrations",
  shadowDbInitScript: "",
  lockfile: { path: "migration_lock.toml", content: 'provider = "postgresql"\n' },
  migrationDirectories: Object.entries(migrations).map(([path, value]) => ({
    path,
    migrationFile: { path: "migration.sql", content: { tag: "ok", value } },
  })),
});

/** What the commands of `prisma` ask of the engine. `migrations`: the text of each by its name. */
export async function engine(connectionString, schema) {
  const pool = new Pool({ connectionString });
  const factory = new PrismaPg(pool);
  const connect = factory.connect.bind(factory);
  factory.connect = async () => adapterOf(pool, await connect());
  const datamodels = [["/schema.prisma", schema]];
  const self = await glue.SchemaEngine.new({ datamodels }, () => {}, bindMigrationAwareSqlAdapterFactory(factory));
  const empty = 'datasource db {\n  provider = "postgresql"\n}\n';
  const whole = { baseDirectoryPath: "/", force: true, compositeTypeDepth: -1, namespaces: null };
  return {
    pull: async () => (await self.introspect({ schema: files(empty), ...whole })).schema.files[0].content,
    push: () => self.schemaPush({ schema: files(schema), force: false, filters }),
    resolve: (migrationName, migrations) => self.markMigrationApplied({ migrationName, migrationsList: list(migrations) }),
    rollBack: (migrationName) => self.markMigrationRolledBack({ migrationName }),
    deploy: async (migrations) => {
      const done = self.applyMigrations({ migrationsList: list(migrations), filters });
      const { appliedMigrationNames } = await done.catch((error) => Promise.reject(pool.failure ?? error));
      return appliedMigrationNames;
    },
    end: () => pool.end(),
  };
}
