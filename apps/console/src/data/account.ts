// Who is signed in: the key, its organization, and the client that speaks for them.

import { ApiError, createClient, type Client } from "@dari/client";
import type { OrganizationRecord } from "@dari/contract";
import { createContext, useContext } from "react";

export interface Account {
  readonly client: Client;
  readonly organization: OrganizationRecord;
  readonly release: string | undefined;
}

const storedAs = "dari.api_key";

/** The key of this tab, gone with it: another tab, or the next visit, signs in anew. */
export function storedKey(): string | undefined {
  return sessionStorage.getItem(storedAs) ?? undefined;
}

export function forgetKey(): void {
  sessionStorage.removeItem(storedAs);
}

/** Signs in and keeps the key. @throws Error in words for the person when the key does not do. */
export async function signIn(apiKey: string): Promise<Account> {
  const client = createClient({ apiUrl: location.origin, apiKey });
  try {
    const [organization, { release }] = await Promise.all([client.getOrganization(), client.probe()]);
    sessionStorage.setItem(storedAs, apiKey);
    return { client, organization, release };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 401) throw error;
    throw new Error("The platform does not know this key. It may be mistyped, revoked or expired.", { cause: error });
  }
}

const context = createContext<Account | undefined>(undefined);
export const AccountProvider = context.Provider;

/** The account of everything below the sign-in page. */
export function useAccount(): Account {
  const account = useContext(context);
  if (account === undefined) throw new Error("nobody is signed in");
  return account;
}
