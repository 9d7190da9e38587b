// Turns the last words of a failed step into what the user can do about it.

/** A failure whose message is complete: it is printed without a stack. */
export class SetupError extends Error {}

const causes = [
  [
    /ENOSPC|no space left on device/i,
    "The disk is full. Set-up needs about 1.5 GB, here and in the package manager's store: free some, then try again.",
  ],
  [
    /SELF_SIGNED_CERT|UNABLE_TO_(VERIFY|GET)|CERT_HAS_EXPIRED|certificate/i,
    "The package registry's certificate was not accepted. Behind a company proxy, set NODE_EXTRA_CA_CERTS (and npm's " +
      "`cafile`) to its certificate.",
  ],
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT|fetch failed|network/i,
    "The package registry could not be reached. Check the network, HTTPS_PROXY and `npm config get registry`.",
  ],
  [
    /\bE404\b|ERR_PNPM_FETCH_404|404 Not Found/i,
    "The package registry does not have a package we need. If `npm config get registry` is a mirror, it may be behind.",
  ],
  [/\bE40[13]\b|ERR_PNPM_FETCH_40[13]/i, "The package registry refused us. Check the credentials in your .npmrc."],
  [
    /ERR_PNPM_OUTDATED_LOCKFILE/,
    "pnpm-lock.yaml does not match the package.json files. Take both from one commit, or run `npx pnpm@12 install`.",
  ],
  [/EACCES|EPERM|EROFS/, "A directory is not writable. Use a checkout and a home directory that are yours."],
];

/** Returns the advice for this output; empty when it is none we know. */
export function adviceFor(output) {
  return causes.find(([pattern]) => pattern.test(output))?.[1] ?? "";
}

/** Returns the error for a step that ended badly, with the end of its output. */
export function stepFailed(title, output) {
  const tail = output.trim().split("\n").slice(-25).join("\n");
  const advice = adviceFor(output);
  return new SetupError([`${title} failed.`, tail, advice].filter(Boolean).join("\n\n"));
}
