// What the caller of a method passes, and how an operation is described.

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Time limit in milliseconds; 0: none. Default: the client's. */
  readonly timeoutMs?: number;
  /** Makes a repeated creation return what the first one created. Default: a new key for each call. */
  readonly idempotencyKey?: string;
}

export interface StreamOptions extends CallOptions {
  /** Called with true when the stream is connected, and with false when its connection is lost. */
  readonly onConnection?: (isConnected: boolean) => void;
}

/** The bytes of an upload. Everything except a stream can be sent again after a broken connection. */
export type Content = Blob | Uint8Array | ArrayBuffer | string | ReadableStream<Uint8Array>;

export interface FileUpload {
  readonly filename: string;
  /** In Node, `fs.openAsBlob(path)` reads the file piece by piece. */
  readonly content: Content;
  /** Default: application/octet-stream. */
  readonly contentType?: string;
}

/** An operation, as the generated table describes it. */
export interface OperationRow {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: "json" | "form" | "bytes";
  /** The content type of a body of bytes, if it is not application/octet-stream. */
  readonly contentType?: string;
  /** The organization is an argument after the body, by default the key's own. */
  readonly hasDefaultOrganization?: true;
  readonly hasQuery?: true;
  /** How the reply is read (default: as JSON). */
  readonly reply?: "text" | "content" | "events";
  /** Accepts an `Idempotency-Key`, so it can be sent again. */
  readonly isKeyed?: true;
  /** The API key is not sent. */
  readonly isKeyless?: true;
  readonly timeoutMs?: number;
}
