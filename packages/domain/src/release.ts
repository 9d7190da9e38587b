// Releases that run beside each other on one database: a release N and the one before it, N-1. Code that is only for
// N-1 has a comment `remove at release N+1`, with the number. A law fails when that release is reached.

/** All releases but patches, oldest first. A release adds itself. */
export const releases = ["1.0"] as const;

/** The number of this release. */
export const release: number = releases.length;

/** The lowest release whose workers may claim turns and builds on a database that this release has migrated. */
export const lowestRelease = release - 1;
