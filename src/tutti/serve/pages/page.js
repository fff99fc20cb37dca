// Writes the page from /openapi.json. Only text nodes are made, so nothing in the description can become markup.
"use strict";

// A red disc, 64 x 64.
const PICTURE = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQMAAACQp+OdAAAABlBMVEX////IHh7kMBY6AAAAg0lEQVR42r3QsQ2DQBQE0ccHCTJT" +
  "Au4Ed+QSrwSXQAmEJwtxDpCtC4gcsNFoVtpguTa3jMCzP0RTSgJ9KSvBwEAw0hFMBMFMQ0tCk0IDs/jOx4FTbToYa/ODAYbT6j/I" +
  "kE+rDdba7LDUpkDSYuYhSBSChZ1gZSPIZII3L1qY79XPF+QDrEEctGfYTQAAAAAASUVORK5CYII=";
const EXAMPLES = {
  "/v1/chat/completions": { messages: [{ role: "user", content: [{ type: "text", text: "What colour is the shape?" },
    { type: "image_url", image_url: { url: PICTURE } }] }], max_tokens: 60 },
  "/v1/embeddings": { input: ["a dog", "a cat"], dimensions: 64 },
};

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function resolved(schema, all) {
  return schema && schema.$ref ? all[schema.$ref.split("/").pop()] : schema || {};
}

function kind(schema, all, depth = 0) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  const several = schema.anyOf || schema.oneOf;
  if (several) return several.map((one) => kind(one, all, depth + 1)).filter((one) => one !== "null").join(" | ");
  if (schema.type === "array") return `[${kind(schema.items, all, depth + 1)}]`;
  const bounds = ["minimum", "exclusiveMinimum", "maximum", "maxLength", "maxItems"]
    .filter((name) => schema[name] !== undefined && Math.abs(schema[name]) < 1e15)
    .map((name) => `${name} ${schema[name]}`);
  return [schema.type || "any", ...bounds].join(", ");
}

function named(schema, found = new Set()) {
  for (const [key, value] of Object.entries(schema || {})) {
    if (key === "$ref") found.add(value.split("/").pop());
    else if (value && typeof value === "object") named(value, found);
  }
  return found;
}

function table(name, schema, all) {
  const rows = Object.entries(schema.properties || {}).map(([field, value]) => make("tr", {},
    make("td", {}, make("code", { textContent: field }), (schema.required || []).includes(field) ? " *" : ""),
    make("td", { className: "kind", textContent: kind(value, all) })));
  if (!rows.length) return [];
  return [make("h3", { textContent: name }), make("p", { textContent: schema.description || "" }), make("table", {}, ...rows)];
}

function tables(schema, all) {
  const queue = [...named({ schema })], done = new Set(), out = [];
  while (queue.length) {
    const name = queue.shift();
    if (done.has(name) || !all[name]) continue;
    done.add(name);
    out.push(...table(name, all[name], all));
    queue.push(...named(all[name].properties));
  }
  return out;
}

function trial(path) {
  const body = make("textarea", { value: JSON.stringify(EXAMPLES[path], null, 2), spellcheck: false });
  body.setAttribute("aria-label", `Body of a request to ${path}`);
  const key = make("input", { type: "password", placeholder: "key, if the server asks for one", autocomplete: "off" });
  const answer = make("pre", { hidden: true });
  const send = make("button", { textContent: "Send" });
  send.addEventListener("click", async () => {
    answer.hidden = false;
    answer.textContent = "…";
    const headers = { "content-type": "application/json" };
    if (key.value) headers.authorization = `Bearer ${key.value}`;
    try {
      const response = await fetch(path, { method: "POST", headers, body: body.value });
      const text = await response.text();
      const json = (response.headers.get("content-type") || "").startsWith("application/json");
      const shown = json ? JSON.stringify(JSON.parse(text), null, 2) : text;
      answer.textContent = `${response.status}\n${shown.slice(0, 20000)}`;
    } catch (error) {
      answer.textContent = String(error);
    }
  });
  return make("div", { className: "try" }, make("h3", { textContent: "Try it" }), body, key, send, answer);
}

function route(path, method, operation, all) {
  const summary = make("summary", {}, make("span", { className: "method", textContent: method.toUpperCase() }),
    make("code", { textContent: path }), ` ${operation.description || operation.summary || ""}`);
  const parts = [summary];
  const content = operation.requestBody ? Object.entries(operation.requestBody.content)[0] : null;
  if (EXAMPLES[path]) parts.push(trial(path));
  if (content) {
    parts.push(make("p", { textContent: `Body: ${content[0]}. Fields with * are needed.` }), ...tables(content[1].schema, all));
  }
  const answers = Object.entries(operation.responses).map(([status, answer]) => make("tr", {},
    make("td", { textContent: status }), make("td", { textContent: answer.description })));
  parts.push(make("h3", { textContent: "Answers" }), make("table", {}, ...answers));
  return make("details", { className: "route" }, ...parts);
}

fetch("/openapi.json").then((response) => response.json()).then((page) => {
  const all = (page.components || {}).schemas || {};
  document.getElementById("about").textContent = `${page.info.description} Version ${page.info.version}.`;
  const routes = document.getElementById("routes");
  for (const [path, methods] of Object.entries(page.paths)) {
    for (const [method, operation] of Object.entries(methods)) routes.append(route(path, method, operation, all));
  }
  routes.firstElementChild.open = true;
});
