// The members of an exported session, in their order; docs/session-export.md. Export and import both go by these names.

export const sessionMember = "session.json";
export const bundleMember = "version/bundle.tar.gz";
export const inputsMember = "uploads.jsonl";

/** An uploaded file's bytes, numbered from 1. */
export function uploadMember(number: number): string {
  return `uploads/${number}`;
}

/** Pages of lines, numbered from 1 each. */
export function messagesMember(page: number): string {
  return `conversation/messages-${String(page).padStart(5, "0")}.jsonl`;
}

export function ledgerMember(page: number): string {
  return `conversation/ledger-${String(page).padStart(5, "0")}.jsonl`;
}
