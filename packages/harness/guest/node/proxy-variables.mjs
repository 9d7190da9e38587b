// Sees to it that NODE_USE_ENV_PROXY is obeyed whatever the version of Node.

/** Node reads the variables itself since 22.21 and 24.5. */
function readsThem() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  return major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
}

/** Before any code of the agent is loaded. */
export async function useProxyVariables() {
  const { NODE_USE_ENV_PROXY, HTTPS_PROXY } = process.env;
  if (NODE_USE_ENV_PROXY !== "1" || !HTTPS_PROXY || readsThem()) return;
  const { sendThrough } = await import("./proxied-node20.mjs");
  sendThrough(new URL(HTTPS_PROXY));
}
