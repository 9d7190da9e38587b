// Jest's global set-up: starts the services once and passes their addresses to the workers through the environment.

import { join } from "node:path";
import { namesOf } from "./services.ts";
import { startServiceRun } from "./service-run.ts";

/** Set-up and tear-down are loaded separately and share only the global object. */
export const stopKey = Symbol.for("dari.test.stop-services");

export type GlobalWithStop = typeof globalThis & { [stopKey]?: () => Promise<void> };

export default async function globalSetup(_all: unknown, project: { cacheDirectory: string }): Promise<void> {
  const run = await startServiceRun(process.env);
  const { postgres, redis, s3, chromium } = run.services;
  const names = {
    ...namesOf({
      ...(postgres && { postgres }),
      ...(redis && { redis }),
      ...(s3 && { s3 }),
      ...(chromium && { chromium }),
    }),
    // Every process of the run, tests and programs alike, loads what an earlier one has compiled.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(project.cacheDirectory, "compiled"),
  };
  const before = Object.keys(names).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, names);
  (globalThis as GlobalWithStop)[stopKey] = async () => {
    // In watch mode, the next run must not mistake these servers for given ones.
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    await run[Symbol.asyncDispose]();
  };
}
