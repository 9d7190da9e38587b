// Types of local.mjs, for TypeScript code that imports it.

export interface LocalFrame {
  readonly t: string;
  readonly [field: string]: unknown;
}

export function runInProcess(
  request: object,
  options: {
    readonly found?: { readonly value: unknown; readonly file: string } | undefined;
    readonly signal?: AbortSignal | undefined;
    readonly inbox?: readonly { readonly id: string; readonly parts: readonly object[] }[] | undefined;
    onFrame(frame: LocalFrame): void;
  },
): Promise<LocalFrame>;
