// A certificate authority for one sandbox, for tunnels whose TLS ends in the proxy. Its keys exist only in this
// process's memory. Only this sandbox trusts the authority, and only for the host names of its secrets.

import { createHash, generateKeyPairSync, randomBytes, sign, X509Certificate, type KeyObject } from "node:crypto";
import { createSecureContext, type SecureContext } from "node:tls";
import { AsnConvert, OctetString } from "@peculiar/asn1-schema";
import * as x509 from "@peculiar/asn1-x509";

export interface Authority {
  /** The authority's own certificate as PEM. */
  readonly certificate: string;
  /** Returns the certificate of a server. Its name must be one of the authority's names or below one of them. */
  contextFor(name: string): SecureContext;
}

/**
 * How long certificates are valid. A turn takes at most a day, and a sandbox can serve several turns of its session.
 */
const validForMs = 7 * 24 * 3_600_000;
/** Maximum number of cached certificates: a program can ask for any name below one of the authority's names. */
const contextsMax = 64;
const clockSkewMs = 5 * 60_000;
const ecdsaWithSha256 = "1.2.840.10045.4.3.2";
const commonName = "2.5.4.3";
const authorityName = "Dari sandbox";

interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export function createAuthority(names: readonly string[]): Authority {
  const keys = createKeys();
  const serverKeys = createKeys();
  const permitted = names.map((name) => new x509.GeneralSubtree({ base: new x509.GeneralName({ dNSName: name }) }));
  const constraints = new x509.NameConstraints({ permittedSubtrees: new x509.GeneralSubtrees(permitted) });
  const use = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;
  const certificate = signed(keys, authorityName, keys.publicKey, [
    extension(x509.id_ce_basicConstraints, new x509.BasicConstraints({ cA: true, pathLenConstraint: 0 }), true),
    extension(x509.id_ce_keyUsage, new x509.KeyUsage(use), true),
    extension(x509.id_ce_nameConstraints, constraints, true),
  ]);
  const key = serverKeys.privateKey.export({ type: "pkcs8", format: "pem" });
  // Cached certificates by name, the newest last.
  const contexts = new Map<string, SecureContext>();
  return {
    certificate,
    contextFor(name) {
      const kept = contexts.get(name);
      if (kept !== undefined) return kept;
      // Send only this certificate, because clients already have the authority's.
      const cert = certificateOfServer(keys, name, serverKeys.publicKey);
      const context = createSecureContext({ key, cert, minVersion: "TLSv1.2" });
      contexts.set(name, context);
      for (const oldest of contexts.keys()) {
        if (contexts.size <= contextsMax) break;
        contexts.delete(oldest);
      }
      return context;
    },
  };
}

function createKeys(): KeyPair {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function certificateOfServer(authority: KeyPair, name: string, publicKey: KeyObject): string {
  const issuer = new x509.AuthorityKeyIdentifier({ keyIdentifier: keyIdOf(authority.publicKey) });
  const alternative = new x509.SubjectAlternativeName([new x509.GeneralName({ dNSName: name })]);
  // A common name has at most 64 characters, and no client uses it.
  return signed(authority, "Dari sandbox proxy", publicKey, [
    extension(x509.id_ce_basicConstraints, new x509.BasicConstraints({ cA: false }), true),
    extension(x509.id_ce_keyUsage, new x509.KeyUsage(x509.KeyUsageFlags.digitalSignature), true),
    extension(x509.id_ce_extKeyUsage, new x509.ExtendedKeyUsage([x509.id_kp_serverAuth])),
    extension(x509.id_ce_authorityKeyIdentifier, issuer),
    extension(x509.id_ce_subjectAltName, alternative),
  ]);
}

/** Returns a signed certificate as PEM. */
function signed(
  authority: KeyPair,
  subject: string,
  publicKey: KeyObject,
  extensions: readonly x509.Extension[],
): string {
  const signature = new x509.AlgorithmIdentifier({ algorithm: ecdsaWithSha256 });
  const now = Date.now();
  const spki = publicKey.export({ type: "spki", format: "der" });
  const tbsCertificate = new x509.TBSCertificate({
    version: x509.Version.v3,
    serialNumber: bytesOf(Buffer.concat([Buffer.of(1), randomBytes(15)])),
    signature,
    issuer: nameOf(authorityName),
    validity: new x509.Validity({ notBefore: new Date(now - clockSkewMs), notAfter: new Date(now + validForMs) }),
    subject: nameOf(subject),
    subjectPublicKeyInfo: AsnConvert.parse(bytesOf(spki), x509.SubjectPublicKeyInfo),
    extensions: new x509.Extensions([...extensions, extension(x509.id_ce_subjectKeyIdentifier, keyIdOf(publicKey))]),
  });
  const text = Buffer.from(AsnConvert.serialize(tbsCertificate));
  const signatureValue = bytesOf(sign("sha256", text, { key: authority.privateKey, dsaEncoding: "der" }));
  const whole = new x509.Certificate({ tbsCertificate, signatureAlgorithm: signature, signatureValue });
  return new X509Certificate(Buffer.from(AsnConvert.serialize(whole))).toString();
}

function extension(id: string, value: object, critical = false): x509.Extension {
  const extnValue = new OctetString(AsnConvert.serialize(value));
  return new x509.Extension({ extnID: id, critical, extnValue });
}

function keyIdOf(key: KeyObject): x509.SubjectKeyIdentifier {
  const spki = key.export({ type: "spki", format: "der" });
  return new x509.SubjectKeyIdentifier(bytesOf(createHash("sha256").update(spki).digest().subarray(0, 20)));
}

function nameOf(text: string): x509.Name {
  const value = new x509.AttributeValue({ utf8String: text });
  const one = new x509.AttributeTypeAndValue({ type: commonName, value });
  return new x509.Name([new x509.RelativeDistinguishedName([one])]);
}

/** Copies a buffer's bytes, because a Buffer can be part of a larger one. */
function bytesOf(buffer: Buffer): ArrayBuffer {
  return Uint8Array.from(buffer).buffer;
}
