// The encodings in which a secret may leave an agent. Each keeps prefixes: the encoding of a text's beginning is the
// beginning of the text's encoding.

export type Encoding = (value: string) => string;

/** The value itself, and the value as it is written within quotes. All encodings here expect well-formed text. */
export const quotedEncodings: readonly Encoding[] = [
  (value) => value,
  json,
  (value) => json(json(value)),
  (value) => json(value).replaceAll("/", "\\/"),
  (value) => json(value).replace(/[\u007f-\uffff]/g, unicodeEscape),
  // How Python and Node print a text within either kind of quotes.
  (value) => json(value).replaceAll('\\"', '"'),
  (value) => json(value).replaceAll('\\"', '"').replaceAll("'", "\\'"),
];

export const encodings: readonly Encoding[] = [
  ...quotedEncodings,
  ...[0, 1, 2].flatMap((before): Encoding[] => [
    (value) => base64Core(value, before),
    (value) => base64Core(value, before).replaceAll("+", "-").replaceAll("/", "_"),
  ]),
  hex,
  (value) => hex(value).toUpperCase(),
  ...[
    encodeURIComponent,
    encodeURI,
    strictUrl,
    (value: string) => strictUrl(value).replaceAll("%2F", "/"),
    (value: string) => encodeURIComponent(value).replaceAll("%20", "+"),
    (value: string) => strictUrl(value).replaceAll("%20", "+"),
    (value: string) => new URLSearchParams({ "": value }).toString().slice(1),
  ].flatMap((encode): Encoding[] => [encode, (value) => encode(value).replace(/%../g, (code) => code.toLowerCase())]),
];

/** Encodings that programs break into lines. */
export const brokenEncodings: readonly Encoding[] = [
  ...[0, 1, 2].map(
    (before): Encoding =>
      (value) =>
        base64Core(value, before),
  ),
  hex,
  (value) => hex(value).toUpperCase(),
];

/**
 * Returns the base64 characters that do not depend on neighbours if `before` (0, 1 or 2) bytes of a group come before
 * the text. At most one character on either side is left out.
 */
function base64Core(value: string, before: number): string {
  const bytes = new TextEncoder().encode("\0".repeat(before) + value);
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).slice(Math.ceil((before * 8) / 6), Math.floor((bytes.length * 8) / 6));
}

function hex(value: string): string {
  let text = "";
  for (const byte of new TextEncoder().encode(value)) text += byte.toString(16).padStart(2, "0");
  return text;
}

function strictUrl(value: string): string {
  return encodeURIComponent(value).replace(/[!'()*]/g, (char) => `%${hex(char).toUpperCase()}`);
}

function json(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

function unicodeEscape(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
