// Loads what a worker needs to run a claimed turn: the details, which usually come with the claim, and the secrets,
// which are decrypted only in the worker's memory.

import type { Manifest } from "@dari/contract";
import type { ImageRef } from "@dari/bundles";
import type { Sealer } from "@dari/control/context";
import { type KeptSecret, decryptSecrets } from "@dari/control/tenants";
import {
  turnDetails,
  type ClaimedTurn,
  type Database,
  type AttachmentToPlace,
  type HistoryRow,
  type RecordedAnswerRow,
  type RecordedStep,
  type TakenMessage,
  type TurnBounds,
  type TurnEgress,
  type TurnReplay,
  type TurnResume,
  type WorkspaceBounds,
} from "@dari/db";
import {
  createScrubber,
  limits,
  Redacted,
  type AnswerRecording,
  type MessageLimits,
  type Scrubber,
} from "@dari/domain";

/** A stored part of a message. `path`: where the file is in the workspace. */
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
  /** The last suspended attempt of the message, if there is one. */
  readonly resume: TurnResume | undefined;
  /** Whether a message waited at the claim that steers the turn. */
  readonly steeringWaits: boolean;
  /** The messages that suspended attempts of the turn have taken, in order. */
  readonly takenBefore: readonly TakenMessage[];
  /** What earlier attempts of the message have recorded. */
  readonly steps: readonly RecordedStep[];
  /** Limits of the message's requests to models, of dari.yml and of the request together. Undefined: none. */
  readonly limits: MessageLimits | undefined;
  /** The answers of models that the attempt can use again. */
  readonly recordedAnswers: readonly RecordedAnswerRow[];
  /** Undefined: the message is no replay. */
  readonly replay: TurnReplay | undefined;
  /** Whether the organization allows that answers of models are recorded. */
  readonly answerRecording: AnswerRecording;
  /** The network rules of the organization, the operators and the session. */
  readonly egress: TurnEgress;
  readonly maxAttempts: number;
  readonly cancelRequested: boolean;
  /** Milliseconds from acceptance to the claim of the first attempt. */
  readonly queuedMs: number;
  /** The manifest's variables and secrets. Kept credentials are placeholders. */
  readonly environment: Redacted<Record<string, string>>;
  /** Kept credentials, which the proxy inserts and which never enter the sandbox. */
  readonly keptSecrets: readonly KeptSecret[];
  /** Names of the session's own secrets. */
  readonly sessionSecrets: ReadonlySet<string>;
  /** Names that the manifest requires and for which no secret exists. */
  readonly missingSecrets: readonly string[];
  /** Total size of all secrets' values, in bytes. */
  readonly secretBytes: number;
  /** Removes the secrets' values from the turn's output. */
  readonly scrubber: Scrubber;
  /** Limits of the organization. */
  readonly workspaceBounds: WorkspaceBounds;
  readonly turnBounds: TurnBounds;
}

const historyBounds = { messages: limits.historyMessages, bytes: limits.historyBytes };

/** Loads the turn of a claim. @throws the database's error if it cannot read the details */
export async function loadTurn(context: { db: Database; sealer: Sealer }, claimed: ClaimedTurn): Promise<Turn> {
  const details = claimed.details ?? (await turnDetails.getTurnDetails(context.db, claimed.messageId, historyBounds));
  const manifest = details.manifest as Manifest;
  const opened = await decryptSecrets(context, details.organizationId, claimed.sessionId, manifest.secrets);
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
    steeringWaits: details.steeringWaits,
    takenBefore: details.takenBefore,
    steps: details.steps,
    limits: details.limits,
    recordedAnswers: details.recordedAnswers,
    replay: details.replay,
    answerRecording: details.answerRecording,
    egress: details.egress,
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
    turnBounds: details.turnBounds,
  };
}

/** Returns the entries of one turn: its message, the messages that steered it, and its answer. */
function historyEntries({ parts, steered, output }: HistoryRow): HistoryEntry[] {
  const asked = [parts, ...(steered ?? [])].map((each) => ({
    role: "user" as const,
    parts: each as HistoryEntry["parts"],
  }));
  const answer = output as { parts?: HistoryEntry["parts"] } | null;
  return answer === null ? asked : [...asked, { role: "assistant", parts: answer.parts ?? [] }];
}
