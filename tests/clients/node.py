# ruff: noqa: E501 - programs are kept as the documentation of their clients has them
"""Programs for clients of npm."""

from __future__ import annotations

from tests.clients.cases import Client

NODE_HEAD = """
import fs from "node:fs";
import { spawnSync } from "node:child_process";
const { CLIENT_URL: URL_, CLIENT_MODEL: MODEL, CLIENT_TOOLS_MODEL: TOOLS, CLIENT_PICTURE: PICTURE_FILE, CLIENT_SPEECH: SPEECH } = process.env;
const KEY = "none";
const PIXELS = fs.readFileSync(PICTURE_FILE);
const PICTURE = "data:image/png;base64," + PIXELS.toString("base64");
const ASK = [{ role: "user", content: "What is a dog?" }];
const LOOK = [{ role: "user", content: [{ type: "text", text: "What animal is this?" }, { type: "image_url", image_url: { url: PICTURE } }] }];
const LAMP = { name: "lamp", description: "Switches the lamp.", parameters: { type: "object", properties: { on: { type: "boolean" } }, required: ["on"], additionalProperties: false } };
async function feature(name, work) {
  if (name.startsWith("tools") !== (MODEL === TOOLS)) return;
  let works = false, told = "";
  try { const found = await work(); works = Boolean(found); if (!works) told = String(found).slice(0, 160); }
  catch (error) { told = `${error.name}: ${error.message}`.slice(0, 300); }
  console.log(JSON.stringify({ feature: name, works, told }));
}
"""

NODE = (
    Client(
        "openai (npm)",
        ("openai",),
        """
import OpenAI from "openai";
const c = new OpenAI({ baseURL: URL_ + "/v1", apiKey: KEY, maxRetries: 0 });
await feature("chat", async () => (await c.chat.completions.create({ model: MODEL, messages: ASK })).choices[0].message.content);
await feature("picture", async () => (await c.chat.completions.create({ model: MODEL, messages: LOOK })).choices[0].message.content);
await feature("stream", async () => { let text = ""; for await (const e of await c.chat.completions.create({ model: MODEL, messages: ASK, stream: true })) text += e.choices[0]?.delta?.content ?? ""; return text; });
await feature("responses", async () => (await c.responses.create({ model: MODEL, input: "What is a dog?" })).output_text);
await feature("responses stream", async () => (await c.responses.stream({ model: MODEL, input: "What is a dog?" }).finalResponse()).output_text);
await feature("completions", async () => (await c.completions.create({ model: MODEL, prompt: "What is a dog?" })).choices[0].text);
await feature("embeddings", async () => (await c.embeddings.create({ model: MODEL, input: ["a dog", "a cat"] })).data.length === 2);
await feature("transcription", async () => (await c.audio.transcriptions.create({ model: MODEL, file: fs.createReadStream(SPEECH), response_format: "verbose_json" })).duration);
await feature("models", async () => (await c.models.list()).data.length);
await feature("tools", async () => typeof JSON.parse((await c.chat.completions.create({ model: TOOLS, messages: ASK, tools: [{ type: "function", function: LAMP }], tool_choice: "required" })).choices[0].message.tool_calls[0].function.arguments).on === "boolean");
""",
        node=True,
    ),
    Client(
        "ai (npm)",
        ("ai", "@ai-sdk/openai-compatible", "@ai-sdk/openai", "@ai-sdk/anthropic", "zod"),
        """
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { createOpenAI } from "@ai-sdk/openai";
import { createAnthropic } from "@ai-sdk/anthropic";
import { embedMany, generateText, Output, streamText, tool } from "ai";
import { z } from "zod";
const here = createOpenAICompatible({ name: "here", baseURL: URL_ + "/v1", apiKey: KEY, supportsStructuredOutputs: true });
const prompt = "What is a dog?", maxRetries = 0;
const look = [{ role: "user", content: [{ type: "text", text: "What animal is this?" }, { type: "file", mediaType: "image/png", data: PIXELS }] }];
const lamp = tool({ description: "Switches the lamp.", inputSchema: z.object({ on: z.boolean() }) });
async function streamed(model) { let text = ""; for await (const piece of streamText({ model, prompt, maxRetries }).textStream) text += piece; return text; }
await feature("chat", async () => (await generateText({ model: here(MODEL), prompt, maxRetries })).text);
await feature("picture", async () => (await generateText({ model: here(MODEL), messages: look, maxRetries })).text);
await feature("stream", () => streamed(here(MODEL)));
await feature("json schema", async () => (await generateText({ model: here(MODEL), prompt, maxRetries, output: Output.object({ schema: z.object({ animal: z.enum(["dog", "cat"]) }) }) })).output.animal);
await feature("embeddings", async () => (await embedMany({ model: here.embeddingModel(MODEL), values: ["a dog", "a cat"], maxRetries })).embeddings.length === 2);
await feature("tools", async () => typeof (await generateText({ model: here(TOOLS), prompt, maxRetries, tools: { lamp }, toolChoice: "required" })).toolCalls[0].input.on === "boolean");
const openai = createOpenAI({ baseURL: URL_ + "/v1", apiKey: KEY });
await feature("responses", async () => (await generateText({ model: openai(MODEL), messages: look, maxRetries })).text);
await feature("responses stream", () => streamed(openai(MODEL)));
const anthropic = createAnthropic({ baseURL: URL_ + "/v1", apiKey: KEY });
await feature("messages", async () => (await generateText({ model: anthropic(MODEL), messages: look, maxRetries, maxOutputTokens: 40 })).text);
""",
        node=True,
    ),
    Client(
        "promptfoo (npm)",
        ("promptfoo",),
        """
const config = { prompts: ["What is {{what}}?"], tests: [{ vars: { what: "a dog" } }], sharing: false };
function evaluated(provider, more = {}) {
  fs.writeFileSync("config.json", JSON.stringify({ ...config, ...more, providers: [provider] }));
  const env = { ...process.env, PROMPTFOO_DISABLE_TELEMETRY: "1", PROMPTFOO_DISABLE_UPDATE: "1", PROMPTFOO_DISABLE_REMOTE_GENERATION: "1", OPENAI_API_KEY: KEY, ANTHROPIC_API_KEY: KEY };
  const done = spawnSync("node_modules/.bin/promptfoo", ["eval", "-c", "config.json", "-o", "out.json", "--no-cache", "--no-progress-bar", "--no-table"], { env, encoding: "utf8", input: "" });
  if (!fs.existsSync("out.json")) throw new Error((done.stderr || done.stdout).slice(-250));
  const { results } = JSON.parse(fs.readFileSync("out.json")).results;
  fs.unlinkSync("out.json");
  if (results[0].error) throw new Error(results[0].error);
  return results[0].response.output;
}
const at = { apiBaseUrl: URL_ + "/v1", apiKey: KEY };
await feature("chat", () => evaluated({ id: "openai:chat:" + MODEL, config: at }));
await feature("responses", () => evaluated({ id: "openai:responses:" + MODEL, config: at }));
await feature("completions", () => evaluated({ id: "openai:completion:" + MODEL, config: at }));
await feature("messages", () => evaluated({ id: "anthropic:messages:" + MODEL, config: { apiBaseUrl: URL_, apiKey: KEY, max_tokens: 40 } }));
await feature("similar (embeddings)", () => evaluated({ id: "openai:chat:" + MODEL, config: at }, { tests: [{ vars: { what: "a dog" }, assert: [{ type: "similar", value: "an animal", threshold: 0, provider: { id: "openai:embedding:" + MODEL, config: at } }] }] }));
""",
        node=True,
    ),
)
