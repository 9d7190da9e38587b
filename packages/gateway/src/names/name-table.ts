// The addresses that one sandbox uses for names. They mean nothing outside of it.

export interface NameTable {
  /** Returns the address of a name, which stays the same. Returns undefined if no address is left. */
  addressOf(name: string): string | undefined;
  /** Returns the name of an address; undefined if the address has none. */
  nameOf(address: string): string | undefined;
  /** The names with the numbers of their addresses, and the next number. */
  copy(): { readonly numbers: Map<string, number>; readonly next: number };
}

/** Maximum number of names that are remembered. The longest unused one is forgotten first. */
const namesMax = 4_000;
/** The first two are the network's and the sandbox's own, the last one is for broadcasts. */
const firstNumber = 2;
const lastNumber = 0xff_fe;
const prefix = "198.18.";

/** Returns whether an address is one of those that names get. */
export function isNameAddress(address: string): boolean {
  return address.startsWith(prefix);
}

/** `template`: a table whose addresses the program knows already. */
export function createNameTable(template?: NameTable): NameTable {
  const known = template?.copy();
  const numbers = known?.numbers ?? new Map<string, number>();
  const names = new Map([...numbers].map(([name, number]) => [number, name]));
  let next = known?.next ?? firstNumber;

  function touch(name: string, number: number): void {
    numbers.delete(name);
    numbers.set(name, number);
  }

  return {
    addressOf(name) {
      const known = numbers.get(name);
      // An address is never given to another name, because the program may still use it for the first one.
      if (known === undefined && next > lastNumber) return undefined;
      const number = known ?? next++;
      touch(name, number);
      names.set(number, name);
      if (numbers.size > namesMax) {
        const [oldest, its] = numbers.entries().next().value!;
        numbers.delete(oldest);
        names.delete(its);
      }
      return `${prefix}${number >> 8}.${number & 0xff}`;
    },
    nameOf(address) {
      if (!isNameAddress(address)) return undefined;
      const [high, low] = address.slice(prefix.length).split(".");
      const number = Number(high) * 256 + Number(low);
      const name = names.get(number);
      if (name !== undefined) touch(name, number);
      return name;
    },
    copy: () => ({ numbers: new Map(numbers), next }),
  };
}
