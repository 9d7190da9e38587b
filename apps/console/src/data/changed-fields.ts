// Finds what a person changed in a form that began with existing values.

/** Returns the changed fields, or undefined if there are none. Only these are sent, so changes by others stay. */
export function changedFields<Fields extends object>(before: Fields, after: Fields): Partial<Fields> | undefined {
  const isNew = (name: string): boolean =>
    JSON.stringify(after[name as keyof Fields]) !== JSON.stringify(before[name as keyof Fields]);
  const names = Object.keys(after).filter(isNew);
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.map((name) => [name, after[name as keyof Fields]])) as Partial<Fields>;
}
