// Writes the page from /openapi.json. Only text nodes are made, so nothing in the description can become markup.
"use strict";

// A red disc, 64 x 64.
const PICTURE = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAQMAAACQp+OdAAAABlBMVEX////IHh7kMBY6AAAAg0lEQVR42r3QsQ2DQBQE0ccHCTJT" +
  "Au4Ed+QSrwSXQAmEJwtxDpCtC4gcsNFoVtpguTa3jMCzP0RTSgJ9KSvBwEAw0hFMBMFMQ0tCk0IDs/jOx4FTbToYa/ODAYbT6j/I" +
  "kE+rDdba7LDUpkDSYuYhSBSChZ1gZSPIZII3L1qY79XPF+QDrEEctGfYTQAAAAAASUVORK5CYII=";
const QUESTION = "What colour is the shape?";
const EXAMPLES = {
  "/v1/chat/completions": { messages: [{ role: "user", content: [{ type: "text", text: QUESTION },
    { type: "image_url", image_url: { url: PICTURE } }] }], max_tokens: 60 },
  "/v1/responses": { input: [{ role: "user", content: [{ type: "input_text", text: QUESTION },
    { type: "input_image", image_url: PICTURE }] }] },
  "/v1/completions": { prompt: "What is a dog?" },
  "/v1/messages": { max_tokens: 60, messages: [{ role: "user", content: [{ type: "text", text: QUESTION },
    { type: "image", source: { type: "base64", media_type: "image/png", data: PICTURE.split(",")[1] } }] }] },
  "/v1/messages/count_tokens": { messages: [{ role: "user", content: QUESTION }] },
  "/v1/embeddings": { input: ["a dog", "a cat"], dimensions: 64 },
};
// How a chosen file becomes a part of each body.
const WITH_FILE = {
  "/v1/chat/completions": (body, url, name) => put(body.messages, { type: "file", file: { file_data: url, filename: name } }),
  "/v1/responses": (body, url, name) => put(body.input, { type: "input_file", file_data: url, filename: name }),
  "/v1/messages": (body, url, name, type) => put(body.messages,
    { type: type.startsWith("image/") ? "image" : "document", source: { type: "base64", media_type: type, data: url.split(",")[1] } }),
  "/v1/embeddings": (body, url, name) => {
    delete body.input;
    body.messages = [{ role: "user", content: [{ type: "file", file: { file_data: url, filename: name } }] }];
  },
};
const FORMS = ["/v1/audio/transcriptions", "/v1/audio/translations"];
const OPENAI = (call) => `import openai\n\nclient = openai.OpenAI(base_url="${location.origin}/v1", api_key="KEY")\n${call}`;
const CLAUDE = (call) => `import anthropic\n\nclient = anthropic.Anthropic(base_url="${location.origin}", api_key="KEY")\n${call}`;
const PYTHON = {
  "/v1/chat/completions": OPENAI(`answer = client.chat.completions.create(
    model="MODEL", messages=[{"role": "user", "content": "What is a dog?"}]
)
print(answer.choices[0].message.content)`),
  "/v1/responses": OPENAI(`answer = client.responses.create(model="MODEL", input="What is a dog?")\nprint(answer.output_text)`),
  "/v1/completions": OPENAI(`answer = client.completions.create(model="MODEL", prompt="What is a dog?")\nprint(answer.choices[0].text)`),
  "/v1/embeddings": OPENAI(`found = client.embeddings.create(model="MODEL", input=["a dog", "a cat"])\nprint(len(found.data[0].embedding))`),
  "/v1/audio/transcriptions": OPENAI(`with open("speech.wav", "rb") as file:
    print(client.audio.transcriptions.create(model="MODEL", file=file).text)`),
  "/v1/audio/translations": OPENAI(`with open("speech.wav", "rb") as file:
    print(client.audio.translations.create(model="MODEL", file=file).text)`),
  "/v1/models": OPENAI("print([model.id for model in client.models.list()])"),
  "/v1/models/{name}": OPENAI(`print(client.models.retrieve("MODEL"))`),
  "GET /v1/responses/{response_id}": OPENAI(`print(client.responses.retrieve("ID").output_text)`),
  "DELETE /v1/responses/{response_id}": OPENAI(`client.responses.delete("ID")`),
  "/v1/responses/{response_id}/input_items": OPENAI(`print(client.responses.input_items.list("ID").data)`),
  "/v1/messages": CLAUDE(`answer = client.messages.create(
    model="MODEL", max_tokens=60, messages=[{"role": "user", "content": "What is a dog?"}]
)
print(answer.content[0].text)`),
  "/v1/messages/count_tokens": CLAUDE(`counted = client.messages.count_tokens(
    model="MODEL", messages=[{"role": "user", "content": "What is a dog?"}]
)
print(counted.input_tokens)`),
};
const SMALL = {
  "/v1/chat/completions": { messages: [{ role: "user", content: "What is a dog?" }] },
  "/v1/responses": { input: "What is a dog?" },
  "/v1/completions": { prompt: "What is a dog?" },
  "/v1/messages": { max_tokens: 60, messages: [{ role: "user", content: "What is a dog?" }] },
  "/v1/messages/count_tokens": { messages: [{ role: "user", content: "What is a dog?" }] },
  "/v1/embeddings": { input: ["a dog", "a cat"] },
  "/v1/feedback": { answer_id: "ID", verdict: "good" },
};
let served = "MODEL";

function put(turns, part) {
  const last = turns[turns.length - 1];
  last.content = [...(typeof last.content === "string" ? [] : last.content.filter((one) => /text/.test(one.type))), part];
}

// The places of a path, filled.
function filled(path) {
  return path.replace("{name}", served).replace(/\{\w+\}/g, "ID");
}

function curl(path, method) {
  const address = `${location.origin}${filled(path)}`;
  if (FORMS.includes(path)) return `curl -s ${address} -H 'authorization: Bearer KEY' \\\n  -F file=@speech.wav`;
  if (!SMALL[path]) return `curl -s ${method === "get" ? "" : `-X ${method.toUpperCase()} `}${address} -H 'authorization: Bearer KEY'`;
  return `curl -s ${address} -H 'content-type: application/json' -H 'authorization: Bearer KEY' \\\n  -d '${JSON.stringify(SMALL[path])}'`;
}

function samples(path, method) {
  const known = PYTHON[`${method.toUpperCase()} ${path}`] || PYTHON[path];
  const json = SMALL[path] ? `, json=${JSON.stringify(SMALL[path])}` : "";
  const python = known || `import httpx\n\nkey = {"authorization": "Bearer KEY"}\nprint(httpx.${method}("${location.origin}${filled(path)}", headers=key${json}).text)`;
  return [make("h3", { textContent: "curl" }), make("pre", { textContent: curl(path, method) }),
    make("h3", { textContent: "Python" }), make("pre", { textContent: python.replaceAll("MODEL", served) })];
}

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

function rows(schema, all) {
  const lines = Object.entries(schema.properties || {}).map(([field, value]) => make("tr", {},
    make("td", {}, make("code", { textContent: field }), (schema.required || []).includes(field) ? " *" : ""),
    make("td", {}, make("span", { className: "kind", textContent: kind(value, all) }),
      make("span", { className: "note", textContent: value.description || "" }))));
  return lines.length ? [make("table", {}, ...lines)] : [];
}

// The fields of a body, and behind them, closed, what its fields are made of.
function tables(schema, all) {
  const first = schema.$ref ? schema.$ref.split("/").pop() : null, body = resolved(schema, all);
  const done = new Set([first]), queue = [...named(body.properties)];
  const out = [make("p", { textContent: body.description || "" }), ...rows(body, all)];
  while (queue.length) {
    const name = queue.shift();
    if (done.has(name) || !all[name]) continue;
    done.add(name);
    const fields = rows(all[name], all);
    const says = ` ${all[name].description || ""}`;
    if (fields.length) out.push(make("details", { className: "fields" },
      make("summary", {}, make("code", { textContent: name }), says), ...fields));
    queue.push(...named(all[name].properties));
  }
  return out;
}

function sender(path, body, more) {
  const key = make("input", { type: "password", placeholder: "key, if the server asks for one", autocomplete: "off" });
  key.setAttribute("aria-label", "Key");
  const answer = make("pre", { hidden: true });
  const send = make("button", { textContent: "Send" });
  send.addEventListener("click", async () => {
    answer.hidden = false;
    answer.textContent = "…";
    const headers = { ...more };
    if (key.value) headers.authorization = `Bearer ${key.value}`;
    try {
      const response = await fetch(path, { method: "POST", headers, body: body() });
      const text = await response.text();
      const json = (response.headers.get("content-type") || "").startsWith("application/json");
      const shown = json ? JSON.stringify(JSON.parse(text), null, 2) : text;
      answer.textContent = `${response.status}\n${shown.slice(0, 20000)}`;
    } catch (error) {
      answer.textContent = String(error);
    }
  });
  return [key, send, answer];
}

function chooser(path, body) {
  const file = make("input", { type: "file" });
  file.setAttribute("aria-label", "A file to send in the place of the example's");
  file.addEventListener("change", () => {
    const reader = new FileReader();
    reader.onload = () => {
      const value = JSON.parse(body.value);
      WITH_FILE[path](value, reader.result, file.files[0].name, file.files[0].type);
      body.value = JSON.stringify(value, null, 2);
    };
    if (file.files.length) reader.readAsDataURL(file.files[0]);
  });
  return file;
}

function trial(path) {
  const body = make("textarea", { value: JSON.stringify(EXAMPLES[path], null, 2), spellcheck: false });
  body.setAttribute("aria-label", `Body of a request to ${path}`);
  const files = WITH_FILE[path] ? [chooser(path, body)] : [];
  return make("div", { className: "try" }, make("h3", { textContent: "Try it" }), ...files, body,
    ...sender(path, () => body.value, { "content-type": "application/json" }));
}

function formTrial(path) {
  const file = make("input", { type: "file", accept: "audio/*,video/*" });
  file.setAttribute("aria-label", "Recording");
  const shape = make("select", {}, ...["json", "verbose_json", "text", "srt", "vtt"].map((one) => make("option", { textContent: one })));
  shape.setAttribute("aria-label", "Form of the answer");
  const body = () => {
    const form = new FormData();
    if (file.files.length) form.append("file", file.files[0]);
    form.append("response_format", shape.value);
    return form;
  };
  return make("div", { className: "try" }, make("h3", { textContent: "Try it" }), file, shape, ...sender(path, body, {}));
}

function route(path, method, operation, all) {
  const summary = make("summary", {}, make("span", { className: "method", textContent: method.toUpperCase() }),
    make("code", { textContent: path }), ` ${operation.description || operation.summary || ""}`);
  const parts = [summary];
  const content = operation.requestBody ? Object.entries(operation.requestBody.content)[0] : null;
  if (EXAMPLES[path]) parts.push(trial(path));
  if (FORMS.includes(path)) parts.push(formTrial(path));
  parts.push(...samples(path, method));
  if (content) {
    parts.push(make("p", { textContent: `Body: ${content[0]}. Fields with * are needed.` }), ...tables(content[1].schema, all));
  }
  const answers = Object.entries(operation.responses).map(([status, answer]) => make("tr", {},
    make("td", { textContent: status }), make("td", { textContent: answer.description })));
  parts.push(make("h3", { textContent: "Answers" }), make("table", {}, ...answers));
  return make("details", { className: "route" }, ...parts);
}

// What the model can do opens first: a server of Whisper shows its transcription.
const FIRST = [["chat", "/v1/chat/completions"], ["transcription", "/v1/audio/transcriptions"], ["embeddings", "/v1/embeddings"]];

async function written() {
  const page = await (await fetch("/openapi.json")).json();
  const listed = await fetch("/v1/models");
  const model = listed.ok ? (await listed.json()).data[0] : { id: "MODEL", capabilities: ["chat"] };
  served = model.id;
  const all = (page.components || {}).schemas || {};
  document.getElementById("about").textContent = `${page.info.description} Version ${page.info.version}.`;
  const routes = document.getElementById("routes");
  const [, first] = FIRST.find(([able]) => model.capabilities.includes(able)) || [null, "/v1/models"];
  const paths = Object.keys(page.paths);
  for (const path of [first, ...paths.filter((one) => one !== first)]) {
    for (const [method, operation] of Object.entries(page.paths[path])) routes.append(route(path, method, operation, all));
  }
  routes.firstElementChild.open = true;
}

written().catch((error) => { document.getElementById("about").textContent = String(error); });
