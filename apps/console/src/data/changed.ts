// What a form that was filled with what there is sends of it.

/** The fields that differ; undefined: none. What others have changed meanwhile is theirs, and stays. */
export function changed<Fields extends object>(before: Fields, after: Fields): Partial<Fields> | undefined {
  const isNew = (name: string): boolean =>
    JSON.stringify(after[name as keyof Fields]) !== JSON.stringify(before[name as keyof Fields]);
  const names = Object.keys(after).filter(isNew);
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.map((name) => [name, after[name as keyof Fields]])) as Partial<Fields>;
}
