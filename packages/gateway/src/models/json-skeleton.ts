// Reads JSON of any size as it arrives, and keeps only its skeleton: long strings become empty, and so do most arrays,
// and objects that are nested deeply. A model's texts and pictures pass by without being stored.

/** Strings with more bytes are emptied. Names of models and reasons are shorter. */
const stringBytesMax = 256;
/** Objects and arrays that are nested deeper are emptied. Everything that is read is less deep. */
const depthMax = 4;
/** The arrays that are read. Others are emptied: an answer can repeat hundreds of tools of its request. */
const keptArrays = ['"choices":', '"candidates":'].map((name) => Buffer.from(name));
/** Maximum bytes of one skeleton. */
const skeletonBytesMax = 64 * 1024;
const firstBytes = 1024;

const [quote, backslash, openArray, closeArray, openObject, closeObject] = [0x22, 0x5c, 0x5b, 0x5d, 0x7b, 0x7d];
const space = 0x20;

export class SkeletonTooLargeError extends Error {
  override readonly name = "SkeletonTooLargeError";
}

export class JsonSkeleton {
  readonly #onValue: (text: string) => void;
  readonly #splitsArray: boolean;
  #kept = Buffer.allocUnsafe(firstBytes);
  #length = 0;
  #depth = 0;
  /** 1 inside of an array whose elements are values of their own. */
  #base = 0;
  #isInString = false;
  /** The depth of the open array whose content is not kept; otherwise, no depth is reached. */
  #emptiedAt = Infinity;
  /** The last byte was a backslash that escapes the next one. */
  #isEscaped = false;
  /** Where the content of the open string begins in `#kept`. -1: it is not kept. */
  #stringAt = -1;

  /**
   * `onValue`: called with the skeleton of each object or array. `splitsArray`: the elements of an outermost array are
   * values of their own.
   */
  constructor(onValue: (text: string) => void, { splitsArray }: { readonly splitsArray: boolean }) {
    this.#onValue = onValue;
    this.#splitsArray = splitsArray;
  }

  /** @throws SkeletonTooLargeError; the rest cannot be read then */
  write(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) at = this.#isInString ? this.#readString(bytes, at) : this.#readTokens(bytes, at);
  }

  /** Drops the value that has begun. */
  reset(): void {
    this.#length = 0;
    this.#depth = 0;
    this.#base = 0;
    this.#emptiedAt = Infinity;
    this.#isInString = false;
  }

  /** Whether a value has begun and not ended. */
  get isOpen(): boolean {
    return this.#depth > 0;
  }

  /** Reads until a string begins, and returns the position after its quote. */
  #readTokens(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte <= space) continue;
      if (byte === quote) {
        this.#isInString = true;
        this.#isEscaped = false;
        if (this.#isKept()) this.#keep(byte);
        this.#stringAt = this.#isKept() ? this.#length : -1;
        return at + 1;
      }
      if (byte === openObject || byte === openArray) this.#open(byte);
      else if (byte === closeObject || byte === closeArray) this.#close(byte);
      else if (this.#isKept()) this.#keep(byte);
    }
    return bytes.length;
  }

  /** Whether the content at this depth is kept. */
  #isKept(): boolean {
    return this.#depth > this.#base && this.#depth <= Math.min(this.#base + depthMax, this.#emptiedAt);
  }

  #open(byte: number): void {
    if (this.#depth === 0 && byte === openArray && this.#splitsArray) {
      this.#base = 1;
    } else if (this.#depth === this.#base || this.#isKept()) {
      const isEmptied = byte === openArray && this.#depth > this.#base && !this.#isAfterKeptName();
      this.#keep(byte);
      if (isEmptied) this.#emptiedAt = this.#depth;
    }
    this.#depth += 1;
  }

  #isAfterKeptName(): boolean {
    return keptArrays.some((name) => {
      const at = this.#length - name.length;
      return at >= 0 && this.#kept.compare(name, 0, name.length, at, this.#length) === 0;
    });
  }

  #close(byte: number): void {
    if (this.#depth <= this.#base) return this.reset();
    this.#depth -= 1;
    if (this.#depth === this.#emptiedAt) this.#emptiedAt = Infinity;
    const isValue = this.#depth === this.#base;
    if (isValue || this.#isKept()) this.#keep(byte);
    if (isValue) this.#finishValue();
  }

  #finishValue(): void {
    const text = this.#kept.toString("utf8", 0, this.#length);
    this.#length = 0;
    if (this.#kept.length > 4 * firstBytes) this.#kept = Buffer.allocUnsafe(firstBytes);
    this.#onValue(text);
  }

  /** Reads to the end of the open string, and returns the position after its quote. */
  #readString(bytes: Buffer, from: number): number {
    let at = this.#isEscaped ? from + 1 : from;
    for (;;) {
      const found = bytes.indexOf(quote, at);
      const end = found === -1 ? bytes.length : found;
      let slashes = 0;
      while (end - 1 - slashes >= at && bytes[end - 1 - slashes] === backslash) slashes += 1;
      const isEscaped = slashes % 2 === 1;
      if (found !== -1 && isEscaped) {
        at = found + 1;
        continue;
      }
      this.#keepString(bytes, from, end);
      this.#isEscaped = isEscaped;
      if (found === -1) return bytes.length;
      this.#isInString = false;
      if (this.#isKept()) this.#keep(quote);
      return found + 1;
    }
  }

  #keepString(bytes: Buffer, from: number, end: number): void {
    if (this.#stringAt === -1) return;
    if (this.#length - this.#stringAt + end - from > stringBytesMax) {
      this.#length = this.#stringAt;
      this.#stringAt = -1;
      return;
    }
    this.#makeRoom(end - from);
    this.#length += bytes.copy(this.#kept, this.#length, from, end);
  }

  #keep(byte: number): void {
    this.#makeRoom(1);
    this.#kept[this.#length] = byte;
    this.#length += 1;
  }

  #makeRoom(bytes: number): void {
    if (this.#length + bytes <= this.#kept.length) return;
    if (this.#length + bytes > skeletonBytesMax) throw new SkeletonTooLargeError("the skeleton is too large");
    const larger = Buffer.allocUnsafe(Math.min(skeletonBytesMax, this.#kept.length * 2));
    this.#kept.copy(larger, 0, 0, this.#length);
    this.#kept = larger;
  }
}
