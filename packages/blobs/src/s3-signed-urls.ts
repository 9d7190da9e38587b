// URLs that let a client without credentials get or put one object of a bucket for a limited time (SigV4 in the query).

import type { S3Client } from "@aws-sdk/client-s3";
import type { DownloadTerms, SignedUpload, SignedUrls, UploadTerms } from "./blob-store.ts";

/** The part of the input of the SDK's signers that is used here. */
interface RequestToSign {
  readonly method: "GET" | "PUT";
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query: Record<string, string>;
  readonly headers: Record<string, string>;
}

interface Presigner {
  presign(
    request: RequestToSign,
    options: { expiresIn: number; signingDate: Date; unhoistableHeaders: Set<string> },
  ): Promise<{ readonly query?: Record<string, string | string[] | null> }>;
}

export interface SigningOptions {
  readonly client: S3Client;
  readonly bucket: string;
  /** The address of the bucket's server for clients. Only its scheme, host and port are used. */
  readonly publicUrl: string;
  readonly pathStyle: boolean;
  nameOf(key: string): string;
}

export function signS3Urls(options: SigningOptions): SignedUrls {
  return {
    forDownload: (key, terms) => signDownload(options, key, terms),
    forUpload: (key, terms) => signUpload(options, key, terms),
  };
}

function signDownload(options: SigningOptions, key: string, terms: DownloadTerms): Promise<string> {
  const query = {
    "response-content-disposition": terms.contentDisposition,
    "response-content-type": terms.contentType,
    "response-cache-control": "private, no-store",
  };
  return sign(options, { ...targetOf(options, key), method: "GET", query, headers: {} }, terms);
}

// The server refuses other bytes: their length and checksum are signed as headers, which the sender must send.
async function signUpload(options: SigningOptions, key: string, terms: UploadTerms): Promise<SignedUpload> {
  const checksum = { "x-amz-checksum-sha256": Buffer.from(terms.sha256, "hex").toString("base64") };
  const headers = { ...checksum, "content-length": String(terms.sizeBytes) };
  const url = await sign(options, { ...targetOf(options, key), method: "PUT", query: {}, headers }, terms);
  return { url, headers: checksum };
}

type Target = Pick<RequestToSign, "protocol" | "hostname" | "path"> & { readonly port?: number };

function targetOf({ publicUrl, bucket, pathStyle, nameOf }: SigningOptions, key: string): Target {
  const { protocol, hostname, port } = new URL(publicUrl);
  return {
    protocol,
    hostname: pathStyle ? hostname : `${bucket}.${hostname}`,
    ...(port === "" ? {} : { port: Number(port) }),
    // Keys contain only characters that need no escaping.
    path: pathStyle ? `/${bucket}/${nameOf(key)}` : `/${nameOf(key)}`,
  };
}

async function sign(
  { client }: SigningOptions,
  request: RequestToSign,
  { expiresAt, seconds }: { readonly expiresAt: Date; readonly seconds: number },
): Promise<string> {
  const host = request.port === undefined ? request.hostname : `${request.hostname}:${request.port}`;
  // The signer does not have the bytes.
  const headers = { ...request.headers, host, "x-amz-content-sha256": "UNSIGNED-PAYLOAD" };
  const signed = await (
    await presignerOf(client)
  ).presign(
    { ...request, headers },
    {
      expiresIn: seconds,
      signingDate: new Date(expiresAt.getTime() - seconds * 1_000),
      unhoistableHeaders: new Set(["x-amz-checksum-sha256"]),
    },
  );
  const pairs = Object.entries(signed.query ?? {}).map(([name, value]) => `${escape(name)}=${escape(String(value))}`);
  return `${request.protocol}//${host}${request.path}?${pairs.join("&")}`;
}

/**
 * Returns the signer of the client's own requests, which has its credentials. All signers of the SDK can also presign.
 */
async function presignerOf(client: S3Client): Promise<Presigner> {
  return (await client.config.signer()) as unknown as Presigner;
}

function escape(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
