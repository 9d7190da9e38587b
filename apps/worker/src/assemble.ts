// Puts a worker together from its services and settings.

import { createHash, randomUUID } from "node:crypto";
import { mkdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { createRuntimes, openImageCache } from "@dari/builder";
import { openSource, type Services, type ServiceSettings } from "@dari/control";
import { newId } from "@dari/domain";
import { chooseDriver } from "@dari/sandbox";
import type { Logger } from "@dari/runtime";
import { openContentCache } from "@dari/workspace";
import { startWorker, type Worker } from "./worker.ts";

export interface WorkerAssembly {
  readonly slots: number;
  readonly workDir: string;
  readonly cacheBytes: number;
  readonly sandbox: "auto" | "bwrap" | "process";
  readonly minimumIsolation: "isolated" | "none";
  readonly turnMemoryBytes: number;
  readonly backoffFirstMs: number;
  readonly shutdownGraceMs: number;
  /** A missing Python minor runs on the nearest newer one: the standalone platform only. */
  readonly allowNearestPython: boolean;
}

/** Opens caches, chooses the sandbox, starts the worker; draining it is on the stack. */
export async function assembleWorker(
  services: Services,
  settings: ServiceSettings,
  assembly: WorkerAssembly,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<Worker> {
  const turnsDir = join(
    assembly.workDir,
    `turns-${createHash("sha256").update(hostname()).digest("hex").slice(0, 8)}-${randomUUID()}`,
  );
  await mkdir(turnsDir, { recursive: true, mode: 0o755 });
  stack.defer(() => rm(turnsDir, { recursive: true, force: true }));
  const chosen = await chooseDriver({
    minimum: assembly.minimumIsolation,
    ...(assembly.sandbox === "auto" ? {} : { preferred: assembly.sandbox }),
  });
  if (!chosen.guarantees.isolated)
    log.warn({ sandbox: chosen.driver.name }, "agents run NOT ISOLATED from this machine");
  const images = await openImageCache({
    dir: join(assembly.workDir, "images"),
    store: services.blobs,
    maxBytes: assembly.cacheBytes,
  });
  stack.defer(() => images.close());
  const contents = await openContentCache({ dir: join(turnsDir, "contents"), maxBytes: assembly.cacheBytes });
  const source = openSource(settings);
  const worker = await startWorker(
    {
      db: services.db,
      notifier: services.notifier,
      log,
      sealer: services.sealer,
      workspaces: { blobs: services.blobs, trees: services.trees, contents },
      driver: chosen.driver,
      guarantees: chosen.guarantees,
      images,
      runtimes: createRuntimes({
        cacheDir: join(assembly.workDir, "runtimes"),
        allowNearest: assembly.allowNearestPython,
      }),
      settings: {
        workerId: newId("worker"),
        pool: settings.pool,
        slots: assembly.slots,
        leaseMs: settings.leaseMs,
        renewMs: Math.floor(settings.leaseMs / 3),
        graceMs: assembly.shutdownGraceMs,
        backoffFirstMs: assembly.backoffFirstMs,
        turnMemoryBytes: assembly.turnMemoryBytes,
        workDir: turnsDir,
      },
    },
    source,
  );
  stack.defer(() => worker.drain());
  return worker;
}
