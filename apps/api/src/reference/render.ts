// Renders the reference page: one document that loads nothing. It is readable without scripts; the script only
// searches, and sends calls that a person tries.

import type { Operation, Parameter, ReferenceDocument, ReferenceRoute, Schema } from "./document.ts";
import { curlExample } from "./curl-example.ts";
import { escapeHtml, renderSchema } from "./render-schema.ts";
import { renderTry, tryScript } from "./render-try.ts";

/** Hides the operations that do not contain all words of the search. `/` focuses the field. */
const searchScript = `
const field = document.querySelector("#search");
const routes = [...document.querySelectorAll("article")].map((element) => [element, element.dataset.words]);
const groups = [...document.querySelectorAll("section[data-group]")];
const links = [...document.querySelectorAll("nav a[data-route]")];
const lists = [...document.querySelectorAll("nav div[data-list]")];
const none = document.querySelector("#none");
function search() {
  const words = field.value.toLowerCase().split(/\\s+/).filter(Boolean);
  for (const [element, text] of routes) element.hidden = !words.every((word) => text.includes(word));
  for (const group of groups) group.hidden = !group.querySelector("article:not([hidden])");
  for (const link of links) link.parentElement.hidden = document.getElementById(link.dataset.route).hidden;
  for (const list of lists) list.hidden = !list.querySelector("li:not([hidden])");
  none.hidden = groups.some((group) => !group.hidden);
}
field.addEventListener("input", search);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== field) { event.preventDefault(); field.focus(); }
  if (event.key === "Escape" && document.activeElement === field) { field.value = ""; search(); }
});
search();
`;

/** The only script of the page. */
export const pageScript = searchScript + tryScript;

/** Everything from the document is escaped. */
export function renderReference(document: ReferenceDocument): string {
  const groups = [...document.groups].map(([tag, routes]) => renderGroup(tag, routes, document));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(document.title)} API</title>
<style>${styles}</style>
</head>
<body>
<nav aria-label="Routes">
<h1>${escapeHtml(document.title)} API</h1>
<label for="search">Search</label>
<input id="search" type="search" placeholder="Press /" autocomplete="off" spellcheck="false">
${[...document.groups].map(([tag, routes]) => renderLinks(tag, routes)).join("\n")}
</nav>
<main>
<p>All paths are at <code>${escapeHtml(document.serverUrl)}</code>. Send an API key as
<code>Authorization: Bearer dari_…</code>. A browser that is signed in to the console can
try calls here. The same reference as OpenAPI: <code>/openapi.json</code>.</p>
<p id="none" role="status" hidden>No route contains all of these words.</p>
${groups.join("\n")}
<section id="schemas">
<h2>Schemas</h2>
${Object.entries(document.schemas).map(renderNamedSchema).join("\n")}
</section>
</main>
<script>${pageScript}</script>
</body>
</html>
`;
}

function renderLinks(tag: string, routes: readonly ReferenceRoute[]): string {
  const items = routes.map(({ method, path, operation: { operationId } }) => {
    const id = escapeHtml(operationId);
    const label = `<b>${escapeHtml(method)}</b> ${escapeHtml(path.replace("/v1", ""))}`;
    return `<li><a href="#${id}" data-route="${id}">${label}</a></li>`;
  });
  return `<div data-list><h3>${escapeHtml(tag)}</h3><ul>${items.join("")}</ul></div>`;
}

function renderGroup(tag: string, routes: readonly ReferenceRoute[], document: ReferenceDocument): string {
  const articles = routes.map((route) => renderRoute(route, document)).join("\n");
  return `<section data-group><h2>${escapeHtml(tag)}</h2>\n${articles}\n</section>`;
}

function renderRoute(route: ReferenceRoute, document: ReferenceDocument): string {
  const { method, path, operation } = route;
  const words = [method, path, ...route.aliases, operation.operationId, operation.summary, ...operation.tags]
    .join(" ")
    .toLowerCase();
  return `<article id="${escapeHtml(operation.operationId)}" data-words="${escapeHtml(words)}">
<h3><span class="method">${escapeHtml(method)}</span> <code>${escapeHtml(path)}</code></h3>
<p>${escapeHtml(operation.summary)}</p>
<p class="meta">${describePermission(operation)} · <code>${escapeHtml(operation.operationId)}</code>
${renderAliases(route)}</p>
${renderParameters(operation.parameters ?? [])}
${renderBody(operation)}
${renderResponses(operation)}
<details><summary>curl</summary><pre><code>${escapeHtml(curlExample(route, document))}</code></pre></details>
${renderTry(route, document)}
</article>`;
}

function renderAliases({ aliases }: ReferenceRoute): string {
  return aliases.map((path) => ` · also at <code>${escapeHtml(path)}</code>`).join("");
}

function describePermission(operation: Operation): string {
  if (operation.security !== undefined) return "no key";
  const scope = operation["x-scope"];
  if (scope === "operator") return "an operator's admin key";
  const ofToken = operation["x-session-token-scope"];
  const orToken = ofToken === undefined ? "" : `, or a session token with <code>${escapeHtml(ofToken)}</code>`;
  return `a key with the scope <code>${escapeHtml(scope ?? "")}</code>${orToken}`;
}

function renderParameters(parameters: readonly Parameter[]): string {
  if (parameters.length === 0) return "";
  const rows = parameters.map(
    ({ name, in: place, required, schema }) =>
      `<tr><td><code>${escapeHtml(name)}</code></td><td>${escapeHtml(place)}${required ? ", required" : ""}</td>` +
      `<td>${renderSchema(schema)}</td></tr>`,
  );
  return `<table><caption>Parameters</caption><tbody>${rows.join("")}</tbody></table>`;
}

function renderBody({ requestBody }: Operation): string {
  if (requestBody === undefined) return "";
  const kinds = Object.entries(requestBody.content).map(([type, { schema }]) => renderContent(type, schema));
  return `<div><h4>Body${requestBody.required ? "" : ", optional"}</h4>${kinds.join("")}</div>`;
}

function renderResponses({ responses }: Operation): string {
  const successes = Object.entries(responses).filter(([status]) => status < "400");
  const errors = Object.keys(responses).filter((status) => status >= "400");
  const shown = successes.map(([status, { content = {} }]) => {
    const kinds = Object.entries(content).map(([type, { schema }]) => renderContent(type, schema));
    return `<h4>${escapeHtml(status)}</h4>${kinds.join("")}`;
  });
  const errorList = `<p class="meta">Errors: ${errors.map(escapeHtml).join(", ")}, each with
<a href="#schema-Error"><code>Error</code></a>.</p>`;
  return `<div>${shown.join("")}${errors.length > 0 ? errorList : ""}</div>`;
}

function renderContent(type: string, schema: Schema | undefined): string {
  const shown = schema === undefined ? "" : ` ${renderSchema(schema)}`;
  return `<div><code>${escapeHtml(type)}</code>${shown}</div>`;
}

function renderNamedSchema([name, schema]: [string, Schema]): string {
  return `<details id="schema-${escapeHtml(name)}"><summary><code>${escapeHtml(name)}</code></summary>
${renderSchema(schema)}</details>`;
}

const styles = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; --line: light-dark(#d9dde3, #323a45);
  --faint: light-dark(#59636f, #9aa5b3); --accent: light-dark(#2450c5, #8fb0ff);
  --raised: light-dark(#f6f7f9, #1b2027) }
body { margin: 0; display: grid; grid-template-columns: minmax(15rem, 20rem) minmax(0, 1fr);
  background: light-dark(#fff, #13161b); color: light-dark(#1a1f27, #e6e9ee) } a, summary { color: var(--accent) }
summary { cursor: pointer; width: fit-content }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; box-sizing: border-box; padding: 1rem;
  border-right: 1px solid var(--line); font-size: .85rem }
nav h1 { font-size: 1.2rem; margin: 0 0 .5rem } nav h3 { margin: 1rem 0 .25rem } nav ul { list-style: none; padding: 0;
  margin: 0 } nav a { overflow-wrap: anywhere; text-decoration: none; color: inherit } nav a:hover { text-decoration:
  underline } nav b { font-size: .7rem }
input { width: 100%; box-sizing: border-box; font: inherit; padding: .4rem }
main { padding: 1rem 2rem; max-width: 60rem }
article { border-top: 1px solid var(--line); padding: .5rem 0 1rem; scroll-margin-top: 1rem }
article h3 { margin: .5rem 0; overflow-wrap: anywhere } h4 { margin: .75rem 0 .25rem }
.method { font-size: .8rem; border: 1px solid var(--line); border-radius: .25rem; padding: .1rem .4rem }
.meta { color: var(--faint); font-size: .9rem }
table { border-collapse: collapse; width: 100%; font-size: .9rem } caption { text-align: left; font-weight: bold }
td { border-top: 1px solid var(--line); padding: .25rem .5rem .25rem 0; vertical-align: top }
form label { display: block; font-size: .85rem; margin: .4rem 0 } textarea { width: 100%; box-sizing: border-box;
  font: .85rem/1.4 ui-monospace, monospace }
input, textarea { background: transparent; color: inherit; border: 1px solid var(--faint); border-radius: .25rem }
button { font: inherit; padding: .35rem .8rem; border: 1px solid var(--faint); border-radius: .25rem; cursor: pointer;
  background: var(--raised); color: inherit } output:empty { display: none } pre:has(> output:empty) { display: none }
pre { overflow: auto; padding: .75rem; border: 1px solid var(--line); border-radius: .25rem;
  background: var(--raised) }
ul.fields { margin: .25rem 0; padding-left: 1rem; list-style: none; border-left: 1px solid var(--line) }
main code, td { overflow-wrap: anywhere }
@media (max-width: 50rem) { body { display: block } main { padding: 1rem }
  nav { position: static; height: auto; max-height: 45vh; border: 0; border-bottom: 1px solid var(--line) } }
`;
