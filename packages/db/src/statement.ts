// Statements whose text never changes, built once: building one with kysely costs more than sending it.

import type { CompiledQuery, Kysely } from "kysely";
import type { DB } from "./generated/schema.ts";
import type { Database, Queryable } from "./database.ts";

/** Represents a parameter while the text is built. */
class Placeholder {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

interface Buildable<Row> {
  compile(): CompiledQuery<Row>;
}

/**
 * Builds a statement at its first use and runs it with each call's parameters. `build` must pass each parameter on as a
 * value, and must not read it.
 */
export function statement<Parameters extends object, Row>(
  build: (kysely: Kysely<DB>, parameters: Parameters) => Buildable<Row>,
): (db: Database, parameters: Parameters) => Promise<Row[]> {
  let built: CompiledQuery<Row> | undefined;
  return async (db, parameters) => {
    built ??= build(db.kysely as Kysely<DB>, placeholders<Parameters>()).compile();
    const values = built.parameters.map((value) =>
      value instanceof Placeholder ? parameters[value.name as keyof Parameters] : value,
    );
    const result = await (db.kysely as Queryable).executeQuery<Row>({ ...built, parameters: values });
    return result.rows;
  };
}

function placeholders<Parameters extends object>(): Parameters {
  return new Proxy({} as Parameters, { get: (_target, name) => new Placeholder(String(name)) });
}
