// Puts a worker together from its services and settings.

import { createRuntimes, openImageCache } from "@dari/builder";
import { openSource, type Services, type ServiceSettings } from "@dari/control";
import { newId } from "@dari/domain";
import { chooseDriver } from "@dari/sandbox";
import type { Logger } from "@dari/runtime";
import { openContentCache } from "@dari/workspace";
import { takeWorkDir } from "./work-dir.ts";
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
  /** This machine's environment: where interpreters are, how registries are reached. Agents never see it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Opens caches, chooses the sandbox, starts the worker; draining it is on the stack. */
export async function assembleWorker(
  services: Services,
  settings: ServiceSettings,
  assembly: WorkerAssembly,
  log: Logger,
  stack: AsyncDisposableStack,
): Promise<Worker> {
  const workDir = await takeWorkDir(assembly.workDir);
  stack.defer(() => workDir.leave());
  const chosen = await chooseDriver({
    minimum: assembly.minimumIsolation,
    ...(assembly.sandbox === "auto" ? {} : { preferred: assembly.sandbox }),
  });
  if (!chosen.guarantees.isolated)
    log.warn({ sandbox: chosen.driver.name }, "agents run NOT ISOLATED from this machine");
  const images = openImageCache({
    dir: workDir.images,
    store: services.blobs,
    maxBytes: assembly.cacheBytes,
  });
  stack.defer(() => images.close());
  const contents = await openContentCache({ dir: workDir.contents, maxBytes: assembly.cacheBytes });
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
        cacheDir: workDir.runtimes,
        env: assembly.environment,
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
        workDir: workDir.turns,
      },
    },
    source,
  );
  stack.defer(() => worker.drain());
  return worker;
}
