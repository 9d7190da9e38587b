// The reply of a scripted model, independent of a provider's wire format.

/** One call of a model, as it arrived. */
export interface ModelRequest {
  /** Without the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readonly<Record<string, unknown>>;
  /** The body as it was sent, for searching for bytes. */
  readonly text: string;
}

export interface ModelUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens?: number;
  /** Part of `outputTokens`. */
  readonly reasoningTokens?: number;
}

/** Text arrives in pieces; an awaited piece holds the stream until the test has seen the ones before it. */
export type TextPieces = string | Iterable<string> | AsyncIterable<string>;

interface ReplyParts {
  readonly usage?: ModelUsage;
  /** The model's reasoning. Only the Responses API and streams of the Messages API show it. */
  readonly reasoning?: string;
}

export type ModelReply =
  | ({ readonly text: TextPieces } & ReplyParts)
  | ({ readonly toolCalls: readonly ToolCall[]; readonly text?: TextPieces } & ReplyParts)
  | { readonly error: { readonly status: number; readonly type: string; readonly message: string } };

export interface ToolCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** Decides what the model answers. */
export type ModelScript = (request: ModelRequest) => ModelReply | Promise<ModelReply>;

export type AnsweredReply = Exclude<ModelReply, { readonly error: unknown }>;

export const usageOf = (said: AnsweredReply): ModelUsage => said.usage ?? { inputTokens: 10, outputTokens: 5 };

export const toolCallsOf = (said: AnsweredReply): readonly ToolCall[] => ("toolCalls" in said ? said.toolCalls : []);

/** Returns the pieces of a reply's text; a string is one piece. */
export async function* toPieces(text: TextPieces | undefined): AsyncGenerator<string, void> {
  if (text === undefined) return;
  if (typeof text === "string") yield text;
  else yield* text;
}

export async function joinPieces(text: TextPieces | undefined): Promise<string> {
  const pieces: string[] = [];
  for await (const piece of toPieces(text)) pieces.push(piece);
  return pieces.join("");
}
