// Finds the data of server-sent events (text/event-stream) as they arrive, and stores nothing of them.

const prefix = Buffer.from("data:");
const [lineFeed, carriageReturn] = [0x0a, 0x0d];

export interface DataReader {
  write(bytes: Buffer): void;
  /** Called between two events. */
  reset(): void;
}

/** Lines end with LF or CRLF: no provider ends them with CR alone. */
export class EventLines {
  readonly #data: DataReader;
  /** How many bytes of the prefix the line has so far. All: its data follows. -1: it is another line. */
  #matched = 0;

  constructor(data: DataReader) {
    this.#data = data;
  }

  write(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#matched >= 0 && this.#matched < prefix.length) {
        this.#match(bytes[at]!);
        at += 1;
        continue;
      }
      const found = bytes.indexOf(lineFeed, at);
      const end = found === -1 ? bytes.length : found;
      if (this.#matched === prefix.length) this.#data.write(bytes.subarray(at, end));
      if (found !== -1) this.#matched = 0;
      at = end + 1;
    }
  }

  #match(byte: number): void {
    if (byte === lineFeed) {
      if (this.#matched === 0) this.#data.reset();
      this.#matched = 0;
    } else if (byte === prefix[this.#matched]) this.#matched += 1;
    else if (byte !== carriageReturn || this.#matched > 0) this.#matched = -1;
  }
}
