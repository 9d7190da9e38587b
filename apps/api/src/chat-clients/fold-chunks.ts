// Chunks of a UI message stream as the message that a client makes from them. Pure.

import type { UiMessage } from "@dari/contract";
import type { UiChunk } from "./ui-chunks.ts";

type Part = Record<string, unknown> & { readonly type: string };

/** One instance makes one message. */
export class FoldedMessage {
  #parts: Part[] = [];
  readonly #texts = new Map<unknown, Part>();
  /** By the id of the call. */
  readonly #calls = new Map<unknown, Part>();
  #metadata: Record<string, unknown> = {};

  /** Returns undefined if the chunks have shown nothing. */
  render(id: string): UiMessage | undefined {
    if (this.#parts.length === 0 && this.#metadata["error"] === undefined) return undefined;
    return { id, role: "assistant", metadata: this.#metadata, parts: this.#parts };
  }

  take(chunk: UiChunk): void {
    const { type, ...fields } = chunk;
    const { messageMetadata } = fields;
    if (messageMetadata !== undefined) this.#metadata = { ...this.#metadata, ...(messageMetadata as object) };
    switch (type) {
      case "text-start":
      case "reasoning-start": {
        const part = { type: type === "text-start" ? "text" : "reasoning", text: "", state: "done" };
        this.#texts.set(fields["id"], part);
        this.#parts.push(part);
        return;
      }
      case "text-delta":
      case "reasoning-delta": {
        const part = this.#texts.get(fields["id"]);
        if (part !== undefined) part["text"] = `${String(part["text"])}${String(fields["delta"])}`;
        return;
      }
      case "start-step":
        this.#parts.push({ type: "step-start" });
        return;
      case "reset-step":
      case "data-dari-attempt-repeated":
        this.#resetStep();
        return;
      case "file":
        this.#parts.push({ type, ...fields });
        return;
      default:
        if (type.startsWith("data-")) this.#parts.push({ type, ...fields });
        if (type.startsWith("tool-")) this.#takeCall(type, fields);
    }
  }

  #resetStep(): void {
    const start = this.#parts.findLastIndex(({ type }) => type === "step-start");
    this.#parts = this.#parts.slice(0, start + 1);
  }

  #takeCall(type: string, fields: Readonly<Record<string, unknown>>): void {
    if (type === "tool-input-delta") return;
    const found = this.#calls.get(fields["toolCallId"]);
    if (type === "tool-input-start") {
      const { toolCallId, toolName, providerExecuted } = fields;
      this.#addCall({ type: "dynamic-tool", toolCallId, toolName, providerExecuted, state: "input-streaming" });
      return;
    }
    if (type === "tool-input-available") return this.#takeInput(found, fields);
    if (found === undefined) return;
    switch (type) {
      case "tool-approval-request":
        Object.assign(found, { state: "approval-requested", approval: { id: fields["approvalId"] } });
        return;
      case "tool-output-available":
        Object.assign(found, { state: "output-available", output: fields["output"] });
        return;
      case "tool-output-error":
        Object.assign(found, { state: "output-error", errorText: fields["errorText"] });
        return;
      case "tool-output-denied":
        found["state"] = "output-denied";
    }
  }

  #takeInput(found: Part | undefined, fields: Readonly<Record<string, unknown>>): void {
    const { toolCallId, toolName, input, providerExecuted, providerMetadata } = fields;
    const given = {
      toolCallId,
      toolName,
      input,
      state: "input-available",
      ...(providerExecuted === undefined ? {} : { providerExecuted }),
      ...(providerMetadata === undefined ? {} : { callProviderMetadata: providerMetadata }),
    };
    if (found === undefined) this.#addCall({ type: "dynamic-tool", ...given });
    else Object.assign(found, given);
  }

  #addCall(part: Part): void {
    this.#calls.set(part["toolCallId"], part);
    this.#parts.push(part);
  }
}
