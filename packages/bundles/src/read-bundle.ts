// Streams a bundle (tar.gz) entry by entry and refuses hostile ones before their bytes are inflated. Callers decide
// what to do with an entry.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { limits } from "@dari/domain";
import { extract, type Header } from "tar-stream";
import { findArchiveFault } from "./find-archive-fault.ts";
import { NameRegistry, normalizeEntryName, quoteName } from "./entry-names.ts";

/** The limits of one bundle, in bytes and counts. */
export interface BundleLimits {
  readonly bundleBytes: number;
  readonly entries: number;
  readonly unpackedBytes: number;
  readonly pathBytes: number;
  readonly manifestBytes: number;
}

export const defaultBundleLimits: BundleLimits = {
  bundleBytes: limits.bundleBytes,
  entries: limits.bundleEntries,
  unpackedBytes: limits.bundleUnpackedBytes,
  pathBytes: limits.bundlePathBytes,
  manifestBytes: limits.manifestBytes,
};

export interface BundleEntry {
  readonly path: string;
  readonly sizeBytes: number;
  /** The only two modes that a bundle keeps. */
  readonly mode: 0o755 | 0o644;
}

/** Why a bundle is refused; `reason` is for the tenant. Every other error is a fault of the platform. */
export class BundleRefusedError extends Error {
  override readonly name = "BundleRefusedError";
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

/** The limit for headers (long names, pax records) between two entries; more is an attack on memory. */
const headerSlackBytes = 1024 * 1024;
const blockBytes = 512;

/**
 * Calls `onFile` for each regular file in the archive's order; `onFile` consumes the stream or leaves it.
 * Directories are checked and skipped; `.env` and `.dari/` are skipped with a warning.
 * Stops at the first refusal, having inflated at most the limit and one buffer.
 * @throws BundleRefusedError with a reason for the tenant; the error of `onFile` as it is.
 */
export async function readBundle(options: {
  file: string;
  limits?: BundleLimits;
  signal?: AbortSignal;
  onFile(entry: BundleEntry, content: AsyncIterable<Uint8Array>): Promise<void>;
}): Promise<{ warnings: string[]; unpackedBytes: number }> {
  const bounds = options.limits ?? defaultBundleLimits;
  const { size } = await stat(options.file);
  if (size === 0) throw new BundleRefusedError("the bundle is empty");
  if (size > bounds.bundleBytes) throw new BundleRefusedError(`the bundle is larger than ${bounds.bundleBytes} bytes`);
  const gate = new MemberGate(bounds);
  const budget = new InflationBudget();
  const archive = extract();
  archive.on("entry", (header, stream, next) => {
    stream.on("error", ignore); // the archive fails with the same error
    const accept = async (): Promise<void> => {
      const entry = gate.admit(header);
      budget.startMember(header);
      if (entry !== undefined) await options.onFile(entry, stream as AsyncIterable<Uint8Array>);
      stream.resume();
    };
    accept().then(
      () => next(),
      (error: unknown) => archive.destroy(error as Error),
    );
  });
  try {
    const source = createReadStream(options.file);
    await pipeline(source, createGunzip(), budget.transform, archive, options.signal ? { signal: options.signal } : {});
  } catch (error) {
    throw explain(error);
  }
  if (gate.count === 0) throw new BundleRefusedError("the bundle is not a tar archive, or it is empty");
  return { warnings: gate.warnings, unpackedBytes: gate.unpackedBytes };
}

function ignore(): void {}

/** Checks headers one by one, before any content is read. */
class MemberGate {
  readonly warnings: string[] = [];
  unpackedBytes = 0;
  count = 0;
  readonly #names = new NameRegistry();
  readonly #bounds: BundleLimits;

  constructor(bounds: BundleLimits) {
    this.#bounds = bounds;
  }

  /** @returns the entry to pass on, or undefined if it is skipped. */
  admit(header: Header): BundleEntry | undefined {
    this.count += 1;
    if (this.count > this.#bounds.entries)
      throw new BundleRefusedError(`more than ${this.#bounds.entries} files and directories`);
    const checked = normalizeEntryName(header.name, this.#bounds.pathBytes);
    if (!checked.ok) throw new BundleRefusedError(checked.reason);
    const { name } = checked;
    const kind = memberKind(header);
    if (kind === "directory") {
      const clash = name === "" ? undefined : this.#names.add(name, "directory");
      if (clash !== undefined) throw new BundleRefusedError(clash);
      return undefined;
    }
    if (name === "" || header.name.endsWith("/")) {
      throw new BundleRefusedError(`${quoteName(header.name)} is not a file name`);
    }
    const clash = this.#names.add(name, "file");
    if (clash !== undefined) throw new BundleRefusedError(clash);
    const sizeBytes = header.size ?? 0;
    this.unpackedBytes += sizeBytes;
    if (this.unpackedBytes > this.#bounds.unpackedBytes) {
      throw new BundleRefusedError(`the unpacked bundle is larger than ${this.#bounds.unpackedBytes} bytes`);
    }
    if (name.startsWith(".dari/") || name === ".env" || name.endsWith("/.env")) {
      this.warnings.push(`${quoteName(name)} is ignored: it never belongs in a bundle`);
      return undefined;
    }
    return { path: name, sizeBytes, mode: ((header.mode ?? 0) & 0o111) === 0 ? 0o644 : 0o755 };
  }
}

function memberKind(header: Header): "file" | "directory" {
  const { type } = header;
  if (type === "file" || type === "directory") return type;
  const what =
    type === "symlink"
      ? "a symbolic link"
      : type === "link"
        ? "a hard link"
        : type === "fifo"
          ? "a fifo"
          : type === "character-device" || type === "block-device"
            ? "a device"
            : "of an unsupported type";
  throw new BundleRefusedError(`${quoteName(header.name)} is ${what}; only regular files are allowed`);
}

/** Counts inflated bytes between entries, so that headers cannot grow without limit. */
class InflationBudget {
  readonly transform: Transform;
  #inflated = 0;
  #allowed = headerSlackBytes;

  constructor() {
    this.transform = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.#inflated += chunk.length;
        if (this.#inflated <= this.#allowed) done(null, chunk);
        else done(new BundleRefusedError("the archive's headers are too large, or it has trailing data"));
      },
    });
  }

  startMember(header: Header): void {
    const content = header.type === "file" ? Math.ceil((header.size ?? 0) / blockBytes) * blockBytes : 0;
    this.#allowed = this.#inflated + content + headerSlackBytes;
  }
}

/** Turns errors of gunzip and tar-stream into a reason. Errors of the platform pass through. */
function explain(error: unknown): unknown {
  switch (findArchiveFault(error)) {
    case "ends too early":
      return new BundleRefusedError("the bundle is incomplete; upload it again");
    case "not compressed":
      return new BundleRefusedError("the bundle is not a gzip archive, or it is damaged");
    case "not tar":
      return new BundleRefusedError("the bundle is not a tar archive, or it is damaged");
    case undefined:
      return error;
  }
}
