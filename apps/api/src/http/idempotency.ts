// Answers creating calls: one resource per `Idempotency-Key`, and the same resource for each repeated call.

import type { Route } from "@dari/contract";
import {
  createFingerprint,
  isDatabaseUnreachable,
  noteUnanswered,
  takeUnanswered,
  withIdempotencyKey,
} from "@dari/control/context";
import { invalidField, limits } from "@dari/domain";
import type { Request } from "express";
import { Reply, type Call, type Creator } from "./call.ts";
import { markCreated } from "./errors.ts";

const header = "Idempotency-Key";

/** Returns undefined on routes that create nothing. @throws AppError `invalid` for a key that is empty or too long. */
export function readIdempotencyKey(route: Route, request: Request): string | undefined {
  if (route.idempotent !== true) return undefined;
  const key = request.get(header);
  if (key === "" || (key !== undefined && key.length > limits.idempotencyKeyChars)) {
    throw invalidField(header, `expected 1 to ${limits.idempotencyKeyChars} characters`);
  }
  return key;
}

/** Without a key, every call creates a resource. */
export async function answerCreation(route: Route, creator: Creator<never>, call: Call<never>): Promise<object | void> {
  await creator.prepare?.(call);
  const creation = await create(route, creator, call).catch(async (error: unknown) => {
    // If the answer to the commit was lost, the commit may have succeeded: keep what it may refer to.
    if (!isDatabaseUnreachable(error)) await discard(creator, call);
    throw error;
  });
  markCreated(call.response, call.idempotencyKey);
  noteIfUnanswered(creator, call, creation.replayed ? creation.resourceId : creation.made.resourceId);
  if (!creation.replayed) return creation.made.reply ?? creator.read(call, creation.made.resourceId, { isNew: true });
  await discard(creator, call);
  const reply = await readAgain(creator, call, creation.resourceId);
  return reply === undefined || reply instanceof Reply ? reply : new Reply(creation.status, reply);
}

/** The header says that this reply shows what an earlier call created. A refusal shows nothing. */
async function readAgain(creator: Creator<never>, call: Call<never>, resourceId: string): Promise<object | void> {
  // Set it before `read`, which may write the response.
  call.response.set("idempotent-replayed", "true");
  try {
    return await creator.read(call, resourceId, { isNew: false });
  } catch (error) {
    if (!call.response.headersSent) call.response.removeHeader("idempotent-replayed");
    throw error;
  }
}

async function create(route: Route, creator: Creator<never>, call: Call<never>) {
  const { control, actor, request } = call;
  const key = keyOf(creator, call);
  if (key === undefined) {
    const repeated = await findRepeated(creator, call);
    if (repeated !== undefined) return { replayed: true, resourceId: repeated, status: route.status } as const;
    return { replayed: false, made: await creator.create(call) } as const;
  }
  const fingerprint = createFingerprint(control, identityOf(creator, call.body));
  // A token's keys are those of its session and end user: it must not find what others have created.
  const { sessionToken } = actor;
  const owner = [sessionToken?.sessionId, sessionToken?.endUser?.id ?? ""];
  const scoped = sessionToken === undefined ? key : JSON.stringify([...owner, key]);
  const plannedId = creator.planId?.();
  const keyed = { method: route.method, path: request.path, key: scoped, fingerprint, status: route.status, plannedId };
  return withIdempotencyKey(control, actor, keyed, (inside) => creator.create({ ...call, control: inside, plannedId }));
}

/** OpenAI's clients send this header with each repeated request, and no key. */
const repeatHeader = "x-stainless-retry-count";

/** Returns the resource of the first request, if its client disconnected before the reply. */
async function findRepeated(creator: Creator<never>, call: Call<never>): Promise<string | undefined> {
  const { control, actor, body, request } = call;
  if (creator.findsRepeated?.(body) !== true || !(Number(request.get(repeatHeader)) > 0)) return undefined;
  return takeUnanswered(control, actor, { path: request.path, body: identityOf(creator, body) });
}

/** Returns what makes two bodies equal. */
function identityOf(creator: Creator<never>, body: Call<never>["body"]): unknown {
  return creator.identify === undefined ? body : creator.identify(body);
}

/** Notes the resource of the call if its client disconnects before the reply, for `findRepeated`. */
function noteIfUnanswered(creator: Creator<never>, call: Call<never>, resourceId: string): void {
  const { control, actor, body, request, response } = call;
  if (creator.findsRepeated?.(body) !== true || keyOf(creator, call) !== undefined) return;
  const note = (): void => {
    // Clients do not repeat a request whose stream has begun.
    const isStreaming = response.getHeader("content-type")?.toString().startsWith("text/event-stream") === true;
    if (response.writableFinished || isStreaming) return;
    const made = { path: request.path, body: identityOf(creator, body), resourceId };
    noteUnanswered(control, actor, made).catch((error: unknown) => {
      control.log.warn({ err: error, org: actor.organizationId }, "call.not_noted");
    });
  };
  if (response.closed) note();
  else response.once("close", note);
}

/** @throws AppError `invalid` when header and body name different keys. */
function keyOf(creator: Creator<never>, { idempotencyKey: sent, body }: Call<never>): string | undefined {
  const own = creator.keyIn?.(body);
  if (own === undefined || sent === undefined || own === sent) return own ?? sent;
  throw invalidField("idempotency_key", `expected the same key as in the ${header} header, or only one of them`);
}

/** A failure to delete is not a reason to refuse the call. */
async function discard(creator: Creator<never>, call: Call<never>): Promise<void> {
  try {
    await creator.discard?.(call);
  } catch (error) {
    call.control.log.warn({ err: error, org: call.actor.organizationId }, "upload.discard_failed");
  }
}
