// Sends due deliveries, in any number of processes. A delivery is claimed before it is sent and recorded afterwards. If
// the process dies in between, the claim expires. So a receiver gets it at least once, always with the same id.

import { dariRelease } from "@dari/contract";
import type { ReceiverPolicy, Sealer } from "@dari/control/context";
import {
  withinTransaction,
  webhookEndpoints,
  webhookOutbox,
  withTransaction,
  type AttemptResult,
  type ClaimedDelivery,
  type Database,
} from "@dari/db";
import { limits, webhookAttemptsMax, webhookRetryMs, type Log } from "@dari/domain";
import type { Resolve } from "@dari/network";
import { renderPayload } from "./render-payload.ts";
import { post } from "./post-to-receiver.ts";
import { publicReceivers } from "./check-receiver.ts";
import { recordEndpointDisabled } from "./record-endpoint-disabled.ts";
import { signDelivery, webhookSecretName } from "./sign-webhook.ts";

export interface WebhookContext {
  readonly db: Database;
  readonly sealer: Sealer;
  readonly log: Log;
  /** Default: public receivers only. */
  readonly webhookReceivers?: ReceiverPolicy | undefined;
}

export interface SenderSettings {
  /** Limits on concurrent attempts: in this process, per endpoint, per organization. */
  readonly slots: number;
  readonly perEndpoint: number;
  readonly perOrganization: number;
  /** How long a claim is valid, well above `timeoutMs`. In milliseconds. */
  readonly leaseMs: number;
  readonly timeoutMs: number;
  readonly disableAfterMs: number;
  /** How long running attempts may take at shutdown, in milliseconds. */
  readonly graceMs: number;
  readonly random: () => number;
  readonly resolve?: Resolve;
  readonly ca?: string;
}

export const senderDefaults: SenderSettings = {
  slots: 64,
  perEndpoint: 4,
  perOrganization: 16,
  leaseMs: 60_000,
  timeoutMs: limits.webhookTimeoutMs,
  disableAfterMs: limits.webhookDisableAfterMs,
  graceMs: 5_000,
  random: Math.random,
};

export interface SendRound {
  /** Deliveries created from events. */
  readonly made: number;
  /** Attempts started. They continue after the round. */
  readonly begun: number;
}

export interface WebhookSender {
  runOnce(): Promise<SendRound>;
  /** Resolves when no attempt is running. Starts none. */
  idle(): Promise<void>;
  /** Waits for running attempts during the grace period, and releases the others to be sent again. */
  close(): Promise<void>;
}

const notesPerBatch = 200;
/** Batches per round. The next round continues. */
const batchesMax = 20;
/** How long a delivery waits that this process cannot sign, in milliseconds. */
const unsignedRetryMs = 300_000;

/** `onFree` is called when a slot becomes free, so that a round can find work. */
export function createWebhookSender(
  context: WebhookContext,
  given: Partial<SenderSettings> = {},
  onFree: () => void = () => undefined,
): WebhookSender {
  const settings = { ...senderDefaults, ...given };
  const stopping = new AbortController();
  const underWay = new Map<ClaimedDelivery, Promise<void>>();

  async function begin(): Promise<number> {
    const bounds = boundsOf([...underWay.keys()], settings);
    if (bounds.limit <= 0 || stopping.signal.aborted) return 0;
    const claimed = await webhookOutbox.claimDue(context.db, bounds);
    if (claimed.length === 0) return 0;
    const endpoints = [...new Set(claimed.map((one) => one.endpointId))];
    const secrets = await webhookEndpoints.listLiveSecrets(context.db, endpoints).catch(async (error: unknown) => {
      await giveBack(context, claimed);
      throw error;
    });
    for (const delivery of claimed) {
      const sealed = secrets.filter((one) => one.endpointId === delivery.endpointId).map((one) => one.sealed);
      const sending = send(context, settings, delivery, sealed, stopping.signal).finally(() => {
        underWay.delete(delivery);
        onFree();
      });
      underWay.set(delivery, sending);
    }
    return claimed.length;
  }

  return {
    async runOnce() {
      const made = await expand(context.db);
      return { made, begun: await begin() };
    },
    async idle() {
      await Promise.all(underWay.values());
    },
    async close() {
      const timer = setTimeout(() => stopping.abort(new Error("this process ends")), settings.graceMs);
      await Promise.all(underWay.values());
      clearTimeout(timer);
      stopping.abort();
    },
  };
}

/** A delivery that cannot be released is claimed again after its lease, which counts as an attempt. */
async function giveBack({ db, log }: WebhookContext, claimed: readonly ClaimedDelivery[]): Promise<void> {
  const given = await Promise.allSettled(claimed.map((one) => webhookOutbox.releaseIfHeld(db, one, 0)));
  const kept = given.filter(({ status }) => status === "rejected").length;
  if (kept > 0) log.warn({ kept, claimed: claimed.length }, "webhook.claims_not_given_back");
}

async function expand(db: Database): Promise<number> {
  let made = 0;
  for (let batch = 0; batch < batchesMax; batch += 1) {
    const { notes, deliveries } = await webhookOutbox.createDeliveriesFromOutbox(db, notesPerBatch);
    made += deliveries;
    if (notes < notesPerBatch) break;
  }
  return made;
}

/** An endpoint with running attempts gets no further ones, so that a slow endpoint does not collect slots. */
function boundsOf(underWay: readonly ClaimedDelivery[], settings: SenderSettings): webhookOutbox.ClaimBounds {
  const { perEndpoint, perOrganization, leaseMs } = settings;
  const counts = new Map<string, number>();
  for (const { organizationId } of underWay) counts.set(organizationId, (counts.get(organizationId) ?? 0) + 1);
  return {
    limit: settings.slots - underWay.length,
    perEndpoint,
    perOrganization,
    leaseMs,
    busyEndpoints: [...new Set(underWay.map((one) => one.endpointId))],
    busyOrganizations: [...counts].filter(([, count]) => count >= perOrganization).map(([id]) => id),
  };
}

/**
 * Runs one attempt and records it. Never rejects: an attempt that cannot be recorded is claimed again after its lease.
 */
async function send(
  context: WebhookContext,
  settings: SenderSettings,
  delivery: ClaimedDelivery,
  sealed: readonly Buffer[],
  signal: AbortSignal,
): Promise<void> {
  const fields = { org: delivery.organizationId, endpoint: delivery.endpointId, delivery: delivery.id };
  try {
    let secrets: string[];
    try {
      secrets = openSecrets(context.sealer, delivery, sealed);
    } catch (err) {
      context.log.error({ ...fields, err }, "webhook.not_signed");
      await webhookOutbox.releaseIfHeld(context.db, delivery, unsignedRetryMs);
      return;
    }
    const attempt = await attemptOnce(context, settings, delivery, secrets, signal);
    if (attempt === undefined) await webhookOutbox.releaseIfHeld(context.db, delivery, 0);
    else await record(context, settings, delivery, attempt);
  } catch (err) {
    context.log.warn({ ...fields, err }, "webhook.not_recorded");
  }
}

/** @throws Error if there is no secret, or one cannot be decrypted. */
function openSecrets(sealer: Sealer, delivery: ClaimedDelivery, sealed: readonly Buffer[]): string[] {
  const { organizationId, endpointId } = delivery;
  if (sealed.length === 0) throw new Error("the endpoint has no secret");
  return sealed.map((one) => sealer.open(one, { organizationId, name: webhookSecretName(endpointId) }));
}

interface Attempt extends AttemptResult {
  readonly retryAfterSeconds: number;
}

/** Returns undefined if this process was asked to shut down in the meantime. */
async function attemptOnce(
  context: WebhookContext,
  settings: SenderSettings,
  delivery: ClaimedDelivery,
  secrets: readonly string[],
  signal: AbortSignal,
): Promise<Attempt | undefined> {
  const body = renderPayload(delivery);
  const id = delivery.eventId;
  const timestamp = Math.floor(Date.now() / 1_000);
  const headers = {
    "content-type": "application/json",
    "user-agent": `Dari-Webhooks/${dariRelease}`,
    "webhook-id": id,
    "webhook-timestamp": String(timestamp),
    "webhook-signature": signDelivery({ id, timestamp, body }, secrets),
  };
  const { timeoutMs, resolve, ca } = settings;
  const policy = context.webhookReceivers ?? publicReceivers;
  const startedAt = performance.now();
  const took = (): number => Math.round(performance.now() - startedAt);
  try {
    const options = { policy, timeoutMs, replyBytes: limits.webhookReplyBytes, signal, resolve, ca };
    const { status, text, retryAfterSeconds } = await post({ url: delivery.url, headers, body }, options);
    const ok = status >= 200 && status < 300;
    return {
      ok,
      durationMs: took(),
      responseStatus: status,
      responseExcerpt: storable(text, limits.webhookExcerptChars),
      error: ok ? null : describeStatus(status),
      retryAfterSeconds,
    };
  } catch (error) {
    if (signal.aborted) return undefined;
    const described = storable(describe(error), limits.webhookExcerptChars);
    const nothing = { responseStatus: null, responseExcerpt: null, retryAfterSeconds: 0 };
    return { ok: false, durationMs: took(), error: described, ...nothing };
  }
}

function describeStatus(status: number): string {
  if (status >= 300 && status < 400) return `the receiver answered ${status}; redirects are not followed`;
  return `the receiver answered ${status}`;
}

/** Returns an error's text. If several addresses were tried, only the first one's error. */
function describe(error: unknown): string {
  const { message = "", errors = [] } = error as Partial<AggregateError>;
  if (errors.length > 0) return describe(errors[0]);
  return message === "" ? "the receiver was not reached" : message;
}

/** Removes what PostgreSQL cannot store: NUL and lone surrogates. */
function storable(text: string, charsMax: number): string {
  return text.replaceAll("\0", "\uFFFD").slice(0, charsMax).toWellFormed();
}

/** Records the attempt in one transaction and, if it disables the endpoint, the audit entry. */
async function record(
  context: WebhookContext,
  settings: SenderSettings,
  delivery: ClaimedDelivery,
  attempt: Attempt,
): Promise<void> {
  const retryMs = webhookRetryMs(delivery.attempts, settings.random(), attempt.retryAfterSeconds);
  const { held, disabled } = await withTransaction(context.db, async (tx) => {
    const inside = withinTransaction(context.db, tx);
    const settled = await webhookOutbox.settleIfHeld(inside, {
      delivery,
      result: attempt,
      retryMs,
      isGone: attempt.responseStatus === 410,
      disableAfter: { ms: settings.disableAfterMs, failures: webhookAttemptsMax },
    });
    if (settled.disabled !== null) {
      await recordEndpointDisabled(inside, delivery, { reason: settled.disabled, last_delivery_id: delivery.id });
    }
    return settled;
  });
  const fields = { org: delivery.organizationId, endpoint: delivery.endpointId, delivery: delivery.id };
  const outcome = !held ? "superseded" : attempt.ok ? "delivered" : retryMs === undefined ? "failed" : "retry";
  const { responseStatus: status, durationMs: ms } = attempt;
  context.log.info({ ...fields, outcome, status, attempt: delivery.attempts, ms }, "webhook.attempted");
  if (disabled !== null) context.log.warn({ ...fields, reason: disabled }, "webhook.disabled");
}
