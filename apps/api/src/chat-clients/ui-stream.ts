// A turn as server-sent events of the UI message stream of the package `ai`. Pure.

import type { StreamItem } from "@dari/control/outbound";
import { interruption } from "../openai/response-stream.ts";
import type { TurnText } from "./send-turn.ts";
import { TurnParts } from "./turn-parts.ts";
import { UiChunks, type UiChunk, type UiChunkOptions } from "./ui-chunks.ts";

/** What clients find at each reply that is such a stream. */
export const uiStreamHeaders = { "x-vercel-ai-ui-message-stream": "v1" } as const;

export class UiStream implements TurnText {
  readonly #messageId: string;
  readonly #parts: TurnParts;
  readonly #chunks: UiChunks;

  constructor(options: UiChunkOptions) {
    this.#messageId = options.messageId;
    this.#parts = new TurnParts(options.messageId);
    this.#chunks = new UiChunks(options);
  }

  get isOver(): boolean {
    return this.#chunks.isOver;
  }

  get keptBytes(): number {
    return this.#parts.keptBytes;
  }

  render(item: StreamItem): string {
    const chunks = this.#parts.takeItem(item).flatMap((part) => this.#chunks.encode(part));
    return [...this.#chunks.open(), ...chunks].map(textOf).join("");
  }

  finish(): string {
    const errorText = String(interruption(`message ${this.#messageId}`)["message"]);
    const cut = this.isOver ? "" : textOf({ type: "error", errorText });
    return `${cut}data: [DONE]\n\n`;
  }
}

function textOf(chunk: UiChunk): string {
  return `data: ${JSON.stringify(chunk)}\n\n`;
}
