// A form with which a signed-in browser sends a call from the reference page, and the script behind it. The call has
// the cookie of the console's sign-in, so it can do what the person can do there.

import { exampleOf } from "./curl-example.ts";
import type { ReferenceDocument, ReferenceRoute } from "./document.ts";
import { escapeHtml } from "./render-schema.ts";

/** Builds the address from the fields, sends the call, and shows the answer as text. */
export const tryScript = `
document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-path]");
  if (form === null) return;
  event.preventDefault();
  const { path, method } = form.dataset;
  if (method !== "GET" && !confirm("Send " + method + " to this platform, as the signed-in account?")) return;
  let address = path;
  const query = new URLSearchParams();
  for (const field of form.querySelectorAll("input")) {
    if (field.dataset.in === "path") address = address.replace("{" + field.name + "}", encodeURIComponent(field.value));
    else if (field.value !== "") query.set(field.name, field.value);
  }
  if (query.size > 0) address += "?" + query;
  const body = form.querySelector("textarea");
  const output = form.querySelector("output");
  output.textContent = "Sending \u2026";
  try {
    const reply = await fetch(address, {
      method,
      headers: body === null ? {} : { "content-type": "application/json" },
      body: body === null ? undefined : body.value,
    });
    const text = await reply.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch {}
    const hint = reply.status === 401 ? "\\nSign in to the console first, in this browser." : "";
    output.textContent = reply.status + hint + "\\n" + shown.slice(0, 100000);
  } catch (error) {
    output.textContent = String(error);
  }
});
`;

/** Returns nothing for calls with bytes in the request or the reply, and for streams. */
export function renderTry({ method, path, operation }: ReferenceRoute, document: ReferenceDocument): string {
  const body = operation.requestBody?.content;
  const isJson = body === undefined || Object.keys(body).join() === "application/json";
  const replies = Object.entries(operation.responses).filter(([status]) => status < "400");
  const types = replies.flatMap(([, { content = {} }]) => Object.keys(content));
  const isText = types.every((type) => ["application/json", "text/plain", "application/x-ndjson"].includes(type));
  if (!isJson || !isText) return "";
  const fields = (operation.parameters ?? [])
    .filter((parameter) => parameter.in === "path" || parameter.in === "query")
    .map(({ name, in: place, required }) => {
      const attributes = `name="${escapeHtml(name)}" data-in="${escapeHtml(place)}"${required ? " required" : ""}`;
      return `<label>${escapeHtml(name)} <input ${attributes} autocomplete="off" spellcheck="false"></label>`;
    });
  const schema = body?.["application/json"]?.schema;
  const example = schema === undefined ? "" : JSON.stringify(exampleOf(schema, document), null, 2);
  const area = `<label>Body <textarea rows="6" spellcheck="false">${escapeHtml(example)}</textarea></label>`;
  return `<details><summary>Try it</summary>
<form data-path="${escapeHtml(path)}" data-method="${escapeHtml(method)}">
${fields.join("")}${schema === undefined ? "" : area}
<button>Send</button><pre><output></output></pre></form></details>`;
}
