// Asks the model that is served here, with files; everything stays with this server. Only text nodes are made.
"use strict";

const at = (id) => document.getElementById(id);
let model = null;

function headers(more = {}) {
  const key = at("key").value;
  return key ? { ...more, authorization: `Bearer ${key}` } : more;
}

const USES = {
  chat: [["OpenAI's clients", "/v1/chat/completions, /v1/responses, /v1/completions"], ["Anthropic's clients", "/v1/messages"]],
  embeddings: [["Vectors", "/v1/embeddings"]],
  transcription: [["Transcription", "/v1/audio/transcriptions, /v1/audio/translations"]],
};

function row(...cells) {
  const line = document.createElement("tr");
  for (const cell of cells) line.append(Object.assign(document.createElement("td"), { textContent: cell }));
  return line;
}

function show(found) {
  model = found;
  const able = found.capabilities.join(", ");
  const context = found.max_model_len ? ` It reads and writes up to ${found.max_model_len.toLocaleString("en")} tokens at a time.` : "";
  at("about").textContent = `${found.id} is served here: ${able}. It takes ${found.modalities.input.join(", ")}.${context}`;
  at("routes").replaceChildren(row("Base address", `${location.origin}/v1`), row("Model", found.id),
    ...found.capabilities.flatMap((one) => (USES[one] || []).map((cells) => row(...cells))));
  const chats = found.capabilities.includes("chat");
  for (const id of ["question", "question-label"]) at(id).hidden = !chats;
  if (!chats && found.capabilities.includes("transcription")) {
    at("files-label").textContent = "A recording, or a video with sound";
    at("send").textContent = "Write down";
  } else if (!chats) {
    at("files-label").textContent = "Files to place in the shared space";
    at("send").textContent = "Embed";
  }
  at("locked").hidden = true;
  at("ask").hidden = false;
}

async function open() {
  const response = await fetch("/v1/models", { headers: headers() });
  if (response.status === 401) {
    at("about").textContent = "A model is served here, for holders of a key.";
    at("locked").hidden = false;
    return;
  }
  const told = await response.json();
  if (!response.ok) throw new Error(told.error.message);
  show(told.data[0]);
}

function read(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });
}

async function parts() {
  const files = await Promise.all([...at("files").files].map(async (file) =>
    ({ type: "file", file: { file_data: await read(file), filename: file.name } })));
  const words = at("question").value.trim();
  return words ? [...files, { type: "text", text: words }] : files;
}

async function refused(response) {
  const told = await response.json();
  throw new Error(told.error.message);
}

async function ask() {
  const body = { model: model.id, messages: [{ role: "user", content: await parts() }], stream: true,
    stream_options: { include_usage: true } };
  const response = await fetch("/v1/chat/completions",
    { method: "POST", headers: headers({ "content-type": "application/json" }), body: JSON.stringify(body) });
  if (!response.ok) await refused(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let left = "";
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const lines = (left + piece.value).split("\n\n");
    left = lines.pop();
    for (const line of lines) if (line.startsWith("data: {")) take(JSON.parse(line.slice(6)));
  }
}

function take(chunk) {
  if (chunk.error) throw new Error(chunk.error.message);
  for (const choice of chunk.choices) at("answer").append(choice.delta.content || "");
  if (chunk.warnings) at("notes").append(`${chunk.warnings.join(" ")} `);
  if (chunk.usage) at("notes").append(`${chunk.usage.prompt_tokens} tokens read, ${chunk.usage.completion_tokens} written.`);
}

async function transcribe() {
  if (!at("files").files.length) throw new Error("Choose a recording first.");
  const form = new FormData();
  form.append("file", at("files").files[0]);
  form.append("response_format", "verbose_json");
  const response = await fetch("/v1/audio/transcriptions", { method: "POST", headers: headers(), body: form });
  if (!response.ok) await refused(response);
  const told = await response.json();
  at("answer").textContent = (told.segments || []).map((one) => `${one.start.toFixed(2)}  ${one.text}`).join("\n") || told.text;
  at("notes").textContent = `${told.duration.toFixed(1)} s of ${told.language}.`;
}

async function embed() {
  const body = { model: model.id, messages: [{ role: "user", content: await parts() }] };
  const response = await fetch("/v1/embeddings",
    { method: "POST", headers: headers({ "content-type": "application/json" }), body: JSON.stringify(body) });
  if (!response.ok) await refused(response);
  const told = await response.json();
  at("answer").textContent = told.data.map((one) => `[${one.embedding.slice(0, 6).map((x) => x.toFixed(4)).join(", ")}, …] ${one.embedding.length} numbers`).join("\n");
}

at("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  at("answer").hidden = false;
  at("answer").textContent = at("notes").textContent = "";
  at("send").disabled = true;
  const able = model.capabilities;
  try {
    await (able.includes("chat") ? ask : able.includes("transcription") ? transcribe : embed)();
  } catch (error) {
    at("notes").textContent = error.message;
  }
  at("send").disabled = false;
});
at("unlock").addEventListener("click", () => open().catch((error) => { at("about").textContent = error.message; }));
open().catch((error) => { at("about").textContent = error.message; });
