// A member of the organization with a browser: approves the sign-in of a command line.

import { createClient } from "@dari/client";

export interface Colleague {
  /** Approves the command line that shows this code. @throws if the platform refuses */
  approve(userCode: string): Promise<void>;
}

/** Invites a person, who opens the link. */
export async function inviteColleague(apiUrl: string, apiKey: string): Promise<Colleague> {
  const { url } = await createClient({ apiUrl, apiKey }).createInvitation({
    email: "ann@walk.example",
    role: "member",
  });
  const opened = await post(`${apiUrl}/v1/auth/link`, {}, { token: url?.split("#")[1] });
  const cookie = opened.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  return {
    async approve(userCode) {
      const fromThePage = { cookie, origin: apiUrl, "sec-fetch-site": "same-origin" };
      await post(`${apiUrl}/v1/me/device`, fromThePage, { user_code: userCode, decision: "approve" });
    },
  };
}

async function post(url: string, headers: Readonly<Record<string, string>>, body: object): Promise<Response> {
  const init = { method: "POST", headers: { ...headers, "content-type": "application/json" } };
  const reply = await fetch(url, { ...init, body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(`${url} answered ${reply.status}: ${await reply.text()}`);
  return reply;
}
