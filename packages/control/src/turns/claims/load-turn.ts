// What a worker needs to run a claimed turn: the details that came with its claim, read apart where they did not, and
// its secrets, opened in the worker's memory only.

import type { Manifest } from "@dari/contract";
import type { ImageRef } from "@dari/bundles";
import type { Sealer } from "@dari/control/context";
import { type KeptSecret, openSecrets } from "@dari/control/tenants";
import {
  egressSettings,
  turnDetails,
  type ClaimedTurn,
  type Database,
  type AttachmentToPlace,
  type TurnEgress,
  type TurnResume,
  type WorkspaceBounds,
} from "@dari/db";
import { createScrubber, limits, Redacted, type Scrubber } from "@dari/domain";

/** A part of a message as stored: files carry their path in the workspace. */
export type TurnPart =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "file" | "image"; readonly file_id: string; readonly path: string };

export interface HistoryEntry {
  readonly role: "user" | "assistant";
  readonly parts: readonly Readonly<Record<string, unknown>>[];
}

export interface Turn extends ClaimedTurn {
  readonly agentId: string;
  readonly versionId: string;
  readonly manifest: Manifest;
  readonly image: ImageRef;
  readonly parts: readonly TurnPart[];
  readonly metadata: Record<string, unknown>;
  readonly history: readonly HistoryEntry[];
  readonly attachments: readonly AttachmentToPlace[];
  readonly headSnapshotId: string | null;
  /** Since an attempt of the message was suspended. */
  readonly resume: TurnResume | undefined;
  /** What its agent may connect to, as the organization, the operators and the session have set it. */
  readonly egress: TurnEgress;
  readonly maxAttempts: number;
  readonly cancelRequested: boolean;
  /** Milliseconds from acceptance to this claim of the first attempt. */
  readonly queuedMs: number;
  /** The manifest's variables and the secrets that it names, those that are kept as placeholders. */
  readonly environment: Redacted<Record<string, string>>;
  /** The secrets that are put in on the way out, and never enter the sandbox. */
  readonly keptSecrets: readonly KeptSecret[];
  /** Names of those secrets that are the session's own. */
  readonly sessionSecrets: ReadonlySet<string>;
  /** Names that the manifest asks for and nobody has set. */
  readonly missingSecrets: readonly string[];
  /** The size of all secrets' values together. */
  readonly secretBytes: number;
  /** Removes the secrets' values from the turn's output. */
  readonly scrubber: Scrubber;
  /** The organization's own. */
  readonly workspaceBounds: WorkspaceBounds;
}

const historyBounds = { messages: limits.historyMessages, bytes: limits.historyBytes };

/** @throws what the database says of details that it cannot read. */
export async function loadTurn(context: { db: Database; sealer: Sealer }, claimed: ClaimedTurn): Promise<Turn> {
  const details = claimed.details ?? (await turnDetails.getTurnDetails(context.db, claimed.messageId, historyBounds));
  const manifest = details.manifest as Manifest;
  const opened = await openSecrets(context, details.organizationId, claimed.sessionId, manifest.secrets);
  const secrets = opened.values;
  const placeholders = opened.kept.map(({ name, placeholder }) => [name, placeholder] as const);
  const given = new Map([...secrets, ...placeholders]);
  return {
    ...claimed,
    agentId: details.agentId,
    versionId: details.versionId,
    manifest,
    image: details.image as ImageRef,
    parts: details.parts as TurnPart[],
    metadata: details.metadata as Record<string, unknown>,
    history: details.history.flatMap(historyEntries),
    attachments: details.attachments,
    headSnapshotId: details.headSnapshotId,
    resume: details.resume,
    egress: details.egress ?? (await egressOf(context.db, details.organizationId)),
    maxAttempts: details.maxAttempts,
    cancelRequested: details.cancelRequested,
    queuedMs: details.startedAt.getTime() - details.createdAt.getTime(),
    environment: new Redacted({ ...manifest.env, ...Object.fromEntries(given) }),
    keptSecrets: opened.kept,
    sessionSecrets: opened.ofSession,
    missingSecrets: manifest.secrets.filter((name) => !secrets.has(name)),
    secretBytes: [...secrets.values()].reduce((sum, value) => sum + Buffer.byteLength(value), 0),
    scrubber: createScrubber([...secrets, ...placeholders]),
    workspaceBounds: details.workspaceBounds,
  };
}

/** For claims that did not bring it along: to read nothing would be to let everything through. */
async function egressOf(db: Database, organizationId: string): Promise<TurnEgress> {
  const settings = await egressSettings.listEgressSettings(db, organizationId);
  return Object.fromEntries(settings.map(({ setBy, mode, hosts }) => [setBy, { mode, hosts }]));
}

function historyEntries(row: { parts: unknown; output: unknown }): HistoryEntry[] {
  const output = row.output as { parts?: HistoryEntry["parts"] } | null;
  const asked: HistoryEntry = { role: "user", parts: row.parts as HistoryEntry["parts"] };
  return output === null ? [asked] : [asked, { role: "assistant", parts: output.parts ?? [] }];
}
