// Who is signed in: by a key that this tab keeps, or by the cookie of this browser; and the client that speaks for
// them.

import { ApiError, createClient, type Client } from "@dari/client";
import type { Me, OrganizationRecord } from "@dari/contract";
import { createContext, useContext } from "react";

export interface Account {
  readonly client: Client;
  readonly organization: OrganizationRecord;
  readonly release: string | undefined;
  /** The person; null: it is a key. */
  readonly member: Me["member"];
  /** What is shown follows; what is allowed says the platform. */
  readonly isAdmin: boolean;
  readonly isOperator: boolean;
}

const storedAs = "dari.api_key";

/** The key is stored for this tab only: another tab, or the next visit, signs in again. */
function storedKey(): string | undefined {
  return sessionStorage.getItem(storedAs) ?? undefined;
}

/** Signs in with a key and keeps it. @throws Error in words for the person when the key does not do. */
export async function signIn(apiKey: string): Promise<Account> {
  try {
    const account = await enterBy({ apiKey });
    sessionStorage.setItem(storedAs, apiKey);
    return account;
  } catch (error) {
    if (!isUnknown(error)) throw error;
    throw new Error("The platform does not know this key. It may be mistyped, revoked or expired.", { cause: error });
  }
}

/** Opens a sign-in link by what stands behind its `#`; the platform answers with the browser's cookie. */
export async function openLink(token: string): Promise<Account> {
  await createClient({ apiUrl: location.origin }).openSignInLink(token);
  sessionStorage.removeItem(storedAs);
  return enterBy({});
}

/** Who is signed in already; undefined: nobody. */
export async function resume(): Promise<Account | undefined> {
  const apiKey = storedKey();
  try {
    return await enterBy(apiKey === undefined ? {} : { apiKey });
  } catch (error) {
    if (!isUnknown(error)) throw error;
    sessionStorage.removeItem(storedAs);
    return undefined;
  }
}

/** Forgets a key; ends the sign-in of a person, which another tab may have ended before. */
export async function signOut({ client }: Account): Promise<void> {
  if (storedKey() === undefined) {
    await client.signOut().catch((error: unknown) => {
      if (!isUnknown(error)) throw error;
    });
  }
  sessionStorage.removeItem(storedAs);
}

async function enterBy(options: { readonly apiKey?: string }): Promise<Account> {
  const client = createClient({ apiUrl: location.origin, ...options });
  const [{ organization, member, scopes }, { release }] = await Promise.all([client.getMe(), client.probe()]);
  const isAdmin = scopes.includes("admin");
  return { client, organization, release, member, isAdmin, isOperator: isAdmin && organization.is_operator };
}

function isUnknown(error: unknown): boolean {
  return error instanceof ApiError && error.status === 401;
}

const context = createContext<Account | undefined>(undefined);
export const AccountProvider = context.Provider;

/** The account of everything below the sign-in page. */
export function useAccount(): Account {
  const account = useContext(context);
  if (account === undefined) throw new Error("nobody is signed in");
  return account;
}
