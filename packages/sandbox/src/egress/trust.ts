// The files by which programs of a sandbox believe its authority, and the variables by which they find them.

import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rootCertificates } from "node:tls";

/** Where distributions keep what the whole machine believes. */
const systemBundles = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

const [authorityFile, bundleFile] = ["authority.pem", "bundle.pem"];

/**
 * A directory in the slot, and gone with it, which everybody who comes so far may read: with the authority alone, and
 * together with what the machine believes. `removeTrust` takes it away.
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

/** `dir`: as the program sees it. */
export function trustEnvironment(dir: string): Record<string, string> {
  const bundle = `${dir}/${bundleFile}`;
  return {
    // Beside what Node and Deno bring along; the others believe nothing but the file.
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

/** Read once: it costs more than everything else of a start. */
function machinesRoots(): string {
  return (roots ??= readFirst(systemBundles) ?? rootCertificates.join("\n"));
}

function readFirst(paths: readonly string[]): string | undefined {
  for (const path of paths) {
    try {
      return readFileSync(path, "utf8");
    } catch {
      // Another distribution's.
    }
  }
  return undefined;
}
