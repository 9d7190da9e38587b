// Reads the manifest of a ready bundle. A manifest that is sent with the bundle must agree with it.

import {
  compareManifests,
  formatManifestIssues,
  normalizeManifest,
  parseManifest,
  type Manifest,
} from "@dari/contract";
import type { Actor, Control, TurnBounds } from "@dari/control/context";
import { credentials, organizations, sourceSnapshots, type TurnBounds as OrganizationBounds } from "@dari/db";
import { AppError, parseMemorySize, requireFound, showMemorySize, type FieldIssue } from "@dari/domain";

export interface BundleManifest {
  readonly manifest: Manifest;
  readonly warnings: readonly string[];
}

/**
 * @throws AppError `not_found`; `conflict` if the bundle is not ready; `invalid` with every issue of dari.yml, or with
 *   the fields in which `sent` differs.
 */
export async function readBundleManifest(
  control: Control,
  actor: Actor,
  sourceSnapshotId: string,
  sent: Readonly<Record<string, unknown>> | undefined,
): Promise<BundleManifest> {
  const row = requireFound(
    await sourceSnapshots.findSourceSnapshot(control.db, actor.organizationId, sourceSnapshotId),
    "source snapshot",
  );
  if (row.state === "failed") {
    throw new AppError("conflict", `the source snapshot failed its check: ${row.failureReason}`);
  }
  if (row.manifestText === null) throw snapshotNotReadyError();
  const parsed = parseManifest(row.manifestText);
  if (!parsed.ok) throw invalidManifest("dari.yml", parsed.issues);
  if (sent !== undefined) refuseDifference(sent, parsed.manifest);
  const { manifest } = parsed;
  const own = await organizations.findTurnBounds(control.db, actor.organizationId);
  const beyond = issuesBeyond(manifest, control.turnBounds, own);
  if (beyond.length > 0) throw invalidManifest("dari.yml", beyond);
  const known = await credentials.listKnownNames(control.db, actor.organizationId, manifest.secrets);
  return {
    manifest,
    warnings: [...parsed.warnings, ...warningsOfUnset(manifest.secrets.filter((n) => !known.has(n)))],
  };
}

/** A limit, for an error. */
interface Bound {
  readonly amount: number;
  readonly whose: "installation" | "organization";
  /** What an operator can raise. */
  readonly setting: string;
}

/** Returns what the manifest asks for and the installation or the organization does not allow. */
function issuesBeyond(
  { runtime }: Manifest,
  installation: TurnBounds | undefined,
  organization: OrganizationBounds | undefined,
): FieldIssue[] {
  const memory = lowest(
    ["DARI_TURN_MEMORY_MAX_BYTES", installation?.memoryMaxBytes],
    ["max_turn_memory_bytes", organization?.memoryBytes],
  );
  const cpus = lowest(["DARI_TURN_CPUS_MAX", installation?.cpusMax], ["max_turn_cpus", organization?.cpus]);
  const issues: FieldIssue[] = [];
  if (runtime.memory !== undefined && (parseMemorySize(runtime.memory) ?? 0) > memory.amount) {
    issues.push({ path: "runtime.memory", message: beyond(runtime.memory, showMemorySize(memory.amount), memory) });
  }
  if (runtime.cpus !== undefined && runtime.cpus > cpus.amount) {
    issues.push({ path: "runtime.cpus", message: beyond(String(runtime.cpus), String(cpus.amount), cpus) });
  }
  return issues;
}

function lowest(
  [setting, most = Infinity]: readonly [setting: string, most: number | undefined],
  [column, own]: readonly [column: string, own: number | null | undefined],
): Bound {
  if ((own ?? Infinity) >= most) return { amount: most, whose: "installation", setting };
  return { amount: own!, whose: "organization", setting: `${column} (dari org limits set)` };
}

function beyond(asked: string, allowed: string, { whose, setting }: Bound): string {
  const excess = `${asked} is more than this ${whose} allows (${allowed})`;
  return `${excess}; ask for less, or ask an operator to raise ${setting}`;
}

/** Only a warning, because a session can bring its own value. */
function warningsOfUnset(names: readonly string[]): string[] {
  return names.map((name) => {
    const advice = `add it with \`dari credentials add ${name}\`, or give it to each session`;
    return `secret ${name} has no value: turns fail with missing_secret until it has; ${advice}`;
  });
}

export function snapshotNotReadyError(): AppError {
  return new AppError("conflict", "the source snapshot is not ready; upload the bundle and finalize it first");
}

function refuseDifference(sent: Readonly<Record<string, unknown>>, bundled: Manifest): void {
  const normalized = normalizeManifest(sent);
  if (!normalized.ok) throw invalidManifest("manifest", normalized.issues.map(below));
  const fields = compareManifests(normalized.manifest, bundled);
  if (fields.length === 0) return;
  throw new AppError("invalid", `the request's manifest differs from the bundle's dari.yml in: ${fields.join(", ")}`, {
    issues: fields.map((field) => ({ path: `manifest.${field}`, message: "differs from the bundle's dari.yml" })),
  });
}

function below(issue: FieldIssue): FieldIssue {
  return { path: issue.path === "manifest" ? issue.path : `manifest.${issue.path}`, message: issue.message };
}

function invalidManifest(path: string, issues: readonly FieldIssue[]): AppError {
  return new AppError("invalid", formatManifestIssues(path, issues), { issues });
}
