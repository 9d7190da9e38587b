// The standalone platform's settings are those of its parts, with its own defaults.

import { expect, test } from "@jest/globals";
import { apiSettings } from "@dari/api";
import { workerSettings } from "@dari/worker";
import { readStandaloneConfig, standaloneSettings } from "./config.ts";

test("needs no setting, and has defaults for a person's own machine", () => {
  expect(readStandaloneConfig("/srv", {})).toMatchObject({
    dataDir: "/srv/.dari-data",
    port: 4870,
    slots: undefined,
    turnReservedMb: undefined,
    cacheBytes: 5 * 1024 ** 3,
    shutdownGraceMs: 10_000,
    memoryMb: undefined,
  });
});

test("what a worker refuses is refused before anything is started", () => {
  const read = (env: Record<string, string>) => () => readStandaloneConfig("/srv", env);
  expect(read({ DARI_WORKER_MEMORY_MB: "512" })).toThrow("DARI_WORKER_MEMORY_MB: expected at least what one turn has");
  expect(read({ DARI_WORKER_MEMORY_MB: "512", DARI_TURN_RESERVED_MB: "256" })()).toMatchObject({ memoryMb: 512 });
  expect(read({ DARI_WORKER_MEMORY_MB: "1024" })()).toMatchObject({ memoryMb: 1_024, turnReservedMb: undefined });
  expect(read({ DARI_EGRESS_ALLOW: "10.0.0.0/8" })).toThrow("DARI_EGRESS_ALLOW");
  expect(read({ DARI_OCI_RUNTIME: "runsc" })).toThrow("DARI_OCI_RUNTIME: needs DARI_SANDBOX=oci; it is auto");
});

test("no setting of a part is written down twice", () => {
  const fields = [...Object.values(apiSettings), ...Object.values(workerSettings)].filter((field) => "env" in field);
  const parts = new Map(fields.map((field) => [field.env, field]));
  const standingIn = ["DATABASE_URL", "REDIS_URL"];
  for (const field of Object.values(standaloneSettings).filter((one) => "env" in one)) {
    const part = parts.get(field.env);
    if (part === undefined || standingIn.includes(field.env)) continue;
    expect({ ...field, unset: null }).toEqual({ ...part, unset: null });
  }
});
