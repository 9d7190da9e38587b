// What code finds in its process that other code may have changed before it: the environment, the working directory,
// which globals there are. Not all that can be changed, but what agents do change while they are loaded.

/** Notes how it is now; the answer says whether it still is so. */
export function noteSurroundings() {
  const before = describe();
  return () => describe() === before;
}

function describe() {
  // Names alone: some globals are made when they are looked at.
  const names = [globalThis, process, Object.prototype].map((holder) => Reflect.ownKeys(holder).map(String));
  return JSON.stringify([process.env, process.cwd(), names]);
}
