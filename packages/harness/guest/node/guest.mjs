// Handles the frames of a channel: loads the entrypoint, and runs one turn after the other.

import { getEventListeners } from "node:events";
import { createActivity } from "./activity.mjs";
import { openTurn } from "./channel.mjs";
import { createContext, exposeContext } from "./context.mjs";
import { findExport, prepareRunner } from "./entrypoint.mjs";
import { TurnError, describeError, ignoringErrors } from "./errors.mjs";
import { Inbox } from "./inbox.mjs";
import { tellRefusedConnections } from "./own-network.mjs";
import { useProxyVariables } from "./proxy-variables.mjs";
import { rehearse } from "./rehearse.mjs";
import { rehearseRequests } from "./rehearse-requests.mjs";
import { createSteps } from "./steps.mjs";
import { createUsageReport } from "./usage.mjs";

const neverSettles =
  "the agent waits for something that can never happen: nothing is left that could settle its promise";

export class Guest {
  #channel;
  #loaded;
  #allow;
  #canceller;
  #inbox;
  #steps;
  /** Lets the process end again if the running turn waits for nothing of the host. */
  #release;
  /** Returns what the turn has used at its models so far, if known. */
  #usedByNow = () => undefined;
  /** Returns the frame about activity over the limit, if there was any. */
  #omitted = () => undefined;
  #reported = false;

  /** `loaded`: a promise of the export (default: the first `load` or `run` loads it). */
  constructor(channel, loaded) {
    this.#channel = channel;
    this.#loaded = loaded;
  }

  take(frame) {
    if (frame.t === "run") this.#attempt(this.#run(frame, new Promise((resolve) => (this.#allow = resolve))));
    else if (frame.t === "go") this.#allow?.();
    else if (frame.t === "inbox") Inbox.hint(this.#inbox);
    else if (frame.t === "taken") Inbox.deliver(this.#inbox, frame.messages);
    else if (frame.t === "stepped") this.#acceptStep(frame);
    else if (frame.t === "load") this.#attempt(this.#loadAhead(frame));
    else if (frame.t === "cancel") this.#canceller?.(frame.reason);
    else if (frame.t === "check") this.#attempt(this.#check(frame));
  }

  /** Sends the turn's last frame. */
  async report(frame) {
    await Promise.all(this.#lastFrames(frame).map((last) => this.#channel.send(last)));
  }

  /** Sends the turn's last frame before it returns, because this process ends at once. */
  reportNow(frame) {
    for (const last of this.#lastFrames(frame)) this.#channel.sendNow(last);
  }

  /** Returns no frames if the turn has had its last one. */
  #lastFrames(frame) {
    if (this.#reported) return [];
    this.#reported = true;
    tellRefusedConnections();
    const omitted = this.#omitted();
    const last = this.#inbox === undefined ? frame : { ...frame, delivered: Inbox.delivered(this.#inbox) };
    return omitted === undefined ? [last] : [omitted, last];
  }

  /** A step that has waited keeps the process alive no longer. */
  #acceptStep(frame) {
    this.#steps?.accept(frame);
    this.#release?.();
  }

  /** After asking for an input, nothing that the agent still does is reported. */
  async #suspend(frame) {
    this.#release = undefined;
    this.#channel.ref();
    await this.report({ ...frame, usage: this.#usedByNow() });
  }

  #attempt(promise) {
    promise.catch((error) => {
      const described =
        error instanceof TurnError ? { code: error.code, message: error.message, stack: "" } : describeError(error);
      return this.report({ t: "error", ...described, usage: this.#usedByNow() });
    });
  }

  async #loadAhead(frame) {
    this.#loaded = loadAhead(frame, this.#channel);
    await this.#loaded;
    await this.#channel.send({ t: "loaded" });
  }

  async #check(frame) {
    nameBundle(frame);
    const found = await findExport(frame.entry, frame.imageDir);
    await prepareRunner(found, frame);
    await this.report({ t: "checked", kind: found.kind });
  }

  async #run(frame, go) {
    // Code that is loaded during its turn sees the turn's files.
    if (this.#loaded === undefined) process.chdir(frame.workspace);
    const { found, runner } = await (this.#loaded ??= load(frame));
    const channel = this.#channel;
    this.#reported = false;
    const turn = openTurn(channel);
    const given = this.#give(frame, turn);
    const steps = this.#steps;
    await channel.send({ t: "started" });
    // The turn's files may not exist before that.
    await go;
    // The directory that the process was started in may have been replaced by the turn's files.
    process.chdir(frame.workspace);
    if (frame.sdk === "pi") (await import("./sdk/pi-models.mjs")).writeModels();
    // From here on the channel does not keep the process alive, so an agent that waits for nothing ends instead of
    // timing out.
    channel.unref();
    const canContinue = () =>
      given.inbox.hasWaiters || steps.hasWaiters || getEventListeners(given.context.signal, "abort").length > 0;
    this.#release = () => void (canContinue() || channel.unref());
    const noteEnd = () => {
      if (canContinue()) channel.ref();
      else this.reportNow({ t: "error", code: "agent_error", message: neverSettles, stack: "" });
    };
    process.on("beforeExit", noteEnd);
    exposeContext(given.context);
    const result = await runner(found.value, given).finally(() => Inbox.end(given.inbox));
    this.#release = undefined;
    channel.ref();
    process.off("beforeExit", noteEnd);
    if (frame.again) leave(turn);
    await this.report({ t: "result", ...result, usage: given.reported.with(result.usage) });
  }

  /** Returns what the runner gets. From here on, the turn's limits and cancellation apply. */
  #give(frame, turn) {
    const suspend = (asked) => (turn.isOver ? undefined : this.#suspend(asked));
    const reported = createUsageReport(turn);
    const activity = createActivity(frame.limits, turn);
    const inbox = (this.#inbox = new Inbox(turn));
    const steps = (this.#steps = createSteps(frame, turn, activity));
    const { context, cancel } = createContext(frame, turn, { suspend, report: reported, activity, inbox, steps });
    this.#canceller = (reason) => {
      Inbox.end(inbox);
      cancel(reason);
    };
    this.#omitted = activity.omittedFrame;
    this.#usedByNow = () => reported.with(undefined);
    const meter = (usage) => (this.#usedByNow = () => reported.with(ignoringErrors(usage)));
    const { prompt, limits, maxTurns, again } = frame;
    const { earlierMessages: earlier } = frame.context;
    return { prompt, context, limits, maxTurns, channel: turn, activity, inbox, earlier, meter, reported, again };
  }
}

/** Loads the agent before its first turn. */
export async function loadAhead(frame, channel) {
  await rehearse(Guest, channel);
  return await load(frame);
}

/** Loads the agent, and what its first turn would load, in a process that is forked for each turn. */
export async function loadOnceForAll(frame, channel) {
  await rehearse(Guest, channel);
  // Before the proxy variables are read: the agent may set others. A rehearsal only saves time.
  await rehearseRequests().catch(() => {});
  return await load(frame);
}

async function load(frame) {
  nameBundle(frame);
  await useProxyVariables();
  const found = await findExport(frame.entry, frame.imageDir);
  return { found, runner: await prepareRunner(found, frame) };
}

/** For the agent and its child processes. */
function nameBundle({ imageDir }) {
  process.env.DARI_BUNDLE_DIR = imageDir;
}

/** Another turn may follow: this one can send nothing more, and its directory is released. */
function leave(turn) {
  turn.end();
  exposeContext(undefined);
  process.chdir("/");
}
