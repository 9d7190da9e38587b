// Makes the programs of a sandbox trust its authority: writes the certificate files, and returns the variables that
// name them.

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rootCertificates } from "node:tls";

/** Where distributions keep the machine's trusted certificates. */
const systemBundles = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

const [authorityFile, bundleFile] = ["authority.pem", "bundle.pem"];

/**
 * Creates a world-readable directory in the slot with two files: the authority's certificate alone, and together with
 * the machine's certificates. `removeTrust` removes the directory.
 */
export function writeTrust(certificate: string, slotDir: string): string {
  const dir = mkdtempSync(join(slotDir, "trust-"));
  try {
    chmodSync(dir, 0o755);
    writeFileSync(join(dir, authorityFile), certificate, { mode: 0o644 });
    writeFileSync(join(dir, bundleFile), `${machinesRoots()}\n${certificate}`, { mode: 0o644 });
    return dir;
  } catch (error) {
    removeTrust(dir);
    throw error;
  }
}

export function removeTrust(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
}

/** Returns the variables that name the certificate files. `dir`: the path inside the sandbox. */
export function trustEnvironment(dir: string): Record<string, string> {
  const bundle = `${dir}/${bundleFile}`;
  return {
    // Adds to the built-in certificates of Node and Deno. The other programs trust only the file.
    NODE_EXTRA_CA_CERTS: `${dir}/${authorityFile}`,
    DENO_CERT: `${dir}/${authorityFile}`,
    SSL_CERT_FILE: bundle,
    REQUESTS_CA_BUNDLE: bundle,
    CURL_CA_BUNDLE: bundle,
    GIT_SSL_CAINFO: bundle,
    AWS_CA_BUNDLE: bundle,
  };
}

let roots: string | undefined;

/** Returns the machine's root certificates. Cached, because reading them takes longer than the rest of a start. */
function machinesRoots(): string {
  return (roots ??= readFirst(systemBundles) ?? rootCertificates.join("\n"));
}

function readFirst(paths: readonly string[]): string | undefined {
  for (const path of paths) {
    try {
      return readFileSync(path, "utf8");
    } catch {
      // This distribution has no file at this path.
    }
  }
  return undefined;
}
