// Processes that have loaded the packages of a layer: each is forked for the checks of what begins with the same
// imports, and is told of an agent's sources only there. They are kept for a while, because who deploys an agent
// deploys it again.

import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { limits } from "@dari/domain";
import { loadPackages, type PackageImport } from "@dari/harness";
import { removeTree, type Sandbox, type SandboxDriver, type SandboxSpec, type SandboxTemplate } from "@dari/sandbox";
import type { ImageLease } from "../image/image-cache.ts";
import { boundedLines, readLines } from "./sandbox-program.ts";

export interface CheckRequest {
  /** Whatever the processes depend on besides the imports: the organization, its layer, the runtime, the settings. */
  readonly key: string;
  readonly imports: readonly PackageImport[];
  /** Of a guest that is started as a template. */
  readonly guest: Pick<SandboxSpec, "argv" | "env" | "readOnlyPaths" | "limits">;
  /** The layer, which is the image until another one takes its place. */
  openLayer(): Promise<ImageLease>;
  /** Of the check. */
  readonly slotDir: string;
  readonly imageDir: string;
  readonly signal: AbortSignal;
  /** The driver that the build uses. */
  readonly driver: SandboxDriver;
}

export interface ForkedCheck {
  readonly sandbox: Sandbox;
  /** What the packages wrote while they were loaded; not all of it where that was much. */
  readonly said: readonly string[];
}

export interface CheckTemplates {
  /**
   * A sandbox whose guest has carried out the imports; the first waits until they are. Undefined where there can be
   * none, or it is not worth the while. @throws the signal's reason
   */
  fork(request: CheckRequest): Promise<ForkedCheck | undefined>;
  /** Ends them all. Idempotent. */
  close(): Promise<void>;
}

export interface CheckTemplatesOptions {
  /** Where they have directories of their own; emptied by whoever owns it. */
  readonly dir: string;
  /** Whether there is memory for them; while there is not, none is kept. */
  hasRoom(): boolean;
  onRefused?(why: string): void;
  /** At once. Default 2. */
  readonly max?: number;
  /** What saves less time is not kept. Milliseconds; default 300. */
  readonly worthMs?: number;
  /** Kept for so long after each use. Milliseconds; default 10 minutes. */
  readonly idleMs?: number;
}

interface Loaded extends Pick<ForkedCheck, "said"> {
  readonly tookMs: number;
  readonly exited: Promise<unknown>;
  fork(request: Pick<CheckRequest, "slotDir" | "imageDir">): Promise<Sandbox>;
  end(): Promise<void>;
}

/** One template, from its start until nothing of it lives. */
interface Entry {
  readonly key: string;
  readonly imports: readonly PackageImport[];
  readonly usedAt: number;
  /** No check uses it or waits for it. */
  readonly isIdle: boolean;
  /** It is not forked any more. */
  readonly isOver: boolean;
  fork(request: CheckRequest): Promise<ForkedCheck | undefined>;
  /** It ends with the last check that uses it. Idempotent. */
  retire(): void;
  readonly ended: Promise<void>;
}

const defaultWorthMs = 300;
const defaultIdleMs = 10 * 60_000;
const lookEveryMs = 5_000;
/** Of each stream of a template. */
const charsKept = 64 * 1024;
/** What cannot be forked, or need not be, is tried again after so long. Milliseconds. */
const refusedForMs = 60 * 60_000;
const refusalsMax = 1_024;

export function openCheckTemplates(o: CheckTemplatesOptions): CheckTemplates {
  const { max = 2, idleMs = defaultIdleMs } = o;
  const entries = new Set<Entry>();
  /** Until when. */
  const refused = new Map<string, number>();
  let isClosed = false;

  function refuse(request: CheckRequest, why: string | undefined): void {
    for (const oldest of refused.keys()) if (refused.size >= refusalsMax) refused.delete(oldest);
    refused.set(nameOf(request), performance.now() + refusedForMs);
    if (why !== undefined) o.onRefused?.(why);
  }

  function start(request: CheckRequest): Entry | undefined {
    const idle = [...entries].filter(({ isIdle }) => isIdle).sort((a, b) => a.usedAt - b.usedAt);
    const replaced = idle.find(({ key }) => key === request.key) ?? idle[0];
    if (entries.size >= max) replaced?.retire();
    if (living() >= max || !o.hasRoom()) return undefined;
    const entry = startEntry(o, request, (why) => refuse(request, why));
    entries.add(entry);
    void entry.ended.then(() => entries.delete(entry));
    return entry;
  }

  const isRefused = (request: CheckRequest): boolean => performance.now() < (refused.get(nameOf(request)) ?? -Infinity);

  const living = (): number => [...entries].filter((entry) => !entry.isOver || !entry.isIdle).length;

  function look(): void {
    const isShort = !o.hasRoom();
    for (const entry of entries) if (isShort || performance.now() - entry.usedAt > idleMs) entry.retire();
  }

  const looking = setInterval(look, lookEveryMs).unref();
  return {
    async fork(request) {
      if (isClosed || request.driver.prepareTemplate === undefined || isRefused(request)) return undefined;
      const entry = [...entries].find((one) => isFit(one, request)) ?? start(request);
      return await entry?.fork(request);
    },
    async close() {
      isClosed = true;
      clearInterval(looking);
      for (const entry of entries) entry.retire();
      await Promise.all([...entries].map(({ ended }) => ended));
    },
  };
}

/** `refuse`: no other one need be started for that. Without text it could be forked, but is not worth the while. */
function startEntry(o: CheckTemplatesOptions, first: CheckRequest, refuse: (why?: string) => void): Entry {
  const gone = Promise.withResolvers<void>();
  const stopping = new AbortController();
  let [users, usedAt, isOver] = [0, performance.now(), false];
  let ended: Promise<void> | undefined;
  const loading = load(o, first, stopping.signal).catch((error: unknown) => String(error));
  const ready = loading.then((loaded) => {
    const isKept = typeof loaded === "object" && loaded.tookMs >= (o.worthMs ?? defaultWorthMs);
    isOver ||= !isKept;
    // One that is given up meanwhile has not been found out.
    if (!isKept && !stopping.signal.aborted) refuse(typeof loaded === "string" ? loaded : undefined);
    if (typeof loaded === "object") void loaded.exited.then(retire);
    return typeof loaded === "object" ? loaded : undefined;
  });
  // Nobody may be waiting any more who would end it.
  void ready.then(() => isOver && retire());

  function retire(): void {
    isOver = true;
    if (users > 0) return;
    stopping.abort();
    ended ??= ready
      .then((loaded) => loaded?.end())
      .catch((error: unknown) => o.onRefused?.(String(error)))
      .finally(() => gone.resolve());
  }

  function leave(): void {
    users -= 1;
    usedAt = performance.now();
    if (isOver) retire();
  }

  async function forkOnce({ said, fork }: Loaded, request: CheckRequest): Promise<ForkedCheck> {
    const sandbox = await fork(request);
    users += 1;
    void sandbox.exited.then(leave);
    return { sandbox, said };
  }

  return {
    key: first.key,
    imports: first.imports,
    ended: gone.promise,
    get usedAt() {
      return usedAt;
    },
    get isIdle() {
      return users === 0;
    },
    get isOver() {
      return isOver;
    },
    async fork(request) {
      users += 1;
      try {
        const loaded = await orAborted(ready, request.signal);
        return loaded && (await forkOnce(loaded, request));
      } catch (error) {
        request.signal.throwIfAborted();
        isOver = true;
        refuse(String(error));
        return undefined;
      } finally {
        leave();
      }
    },
    retire,
  };
}

/** Short, because many are remembered. */
const nameOf = ({ key, imports }: CheckRequest): string =>
  createHash("sha256")
    .update(JSON.stringify([key, imports]))
    .digest("base64");

/** It has done the first of what is asked for, and nothing else. */
function isFit(entry: Entry, { key, imports }: CheckRequest): boolean {
  if (entry.isOver || entry.key !== key || entry.imports.length > imports.length) return false;
  return JSON.stringify(entry.imports) === JSON.stringify(imports.slice(0, entry.imports.length));
}

/** Text: why it cannot be forked. `signal`: nobody waits for it any more. */
async function load(o: CheckTemplatesOptions, request: CheckRequest, signal: AbortSignal): Promise<Loaded | string> {
  await using failed = new AsyncDisposableStack();
  const startedAt = performance.now();
  const layer = await request.openLayer();
  failed.defer(() => layer.release());
  const slotDir = await mkdtemp(join(o.dir, "check-template-"));
  failed.defer(() => removeTree(slotDir));
  const folders = ["workspace", "state"].map((name) => join(slotDir, name));
  for (const folder of folders) await mkdir(folder);
  const spec: SandboxSpec = { ...request.guest, imageDir: layer.dir, slotDir, network: "none" };
  const template = await request.driver.prepareTemplate?.(spec);
  if (template === undefined) return "this machine has no way to";
  failed.defer(() => template.kill());
  const said = [template.stdout, template.stderr].map(collectLines);
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(limits.entrypointCheckMs)]);
  const what = { imports: request.imports, imageDir: template.paths.image, signal: inTime };
  const why = await loadPackages(template, what);
  if (why !== undefined) return why;
  for (const folder of folders) if ((await readdir(folder)).length > 0) return "its packages write files";
  const tookMs = performance.now() - startedAt;
  const { exited } = template;
  const made = failed.move();
  return {
    tookMs,
    exited,
    // The last of it may be read a little later.
    get said() {
      return said.flat();
    },
    fork: inTurn(template),
    end: () => made.disposeAsync(),
  };
}

/** Its children are made one after the other. */
function inTurn(template: SandboxTemplate): Loaded["fork"] {
  let last: Promise<unknown> = Promise.resolve();
  return ({ slotDir, imageDir }) => {
    const forked = last.then(() => template.fork({ slotDir, imageDir }));
    last = forked.catch(() => undefined);
    return forked;
  };
}

function collectLines(stream: Readable): readonly string[] {
  const { lines, keep } = boundedLines(charsKept);
  void readLines(stream, keep);
  return lines;
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", abort));
}
