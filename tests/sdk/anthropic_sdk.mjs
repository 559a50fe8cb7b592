// Anthropic's SDK for Node before Convergio's gateway: what it makes of each answer, a JSON line each.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.CONVERGIO_SDK}/`);
const Anthropic = require("@anthropic-ai/sdk");

const MODEL = "mock/gpt-test";
const baseURL = process.env.CONVERGIO_BASE;
const says = (content) => [{ role: "user", content }];
const tools = [{
  name: "weather",
  description: "The weather of a city",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
}];
const asked = (text, more) => ({ model: MODEL, messages: says(text), max_tokens: 64, ...more });
const told = (message) => ({
  text: message.content.filter((block) => block.type === "text").map((block) => block.text).join(""),
  stop: message.stop_reason,
  input: message.usage.input_tokens,
  output: message.usage.output_tokens,
});

const ops = {
  whole: async (api) => told(await api.messages.create(asked("Say hello."))),
  async stream(api) {
    let [pieces, last] = [[], {}];
    for await (const event of await api.messages.create(asked("Say hello.", { stream: true }))) {
      if (event.type === "content_block_delta") pieces.push(event.delta.text);
      if (event.type === "message_delta") last = { stop: event.delta.stop_reason, output: event.usage.output_tokens };
    }
    return { text: pieces.join(""), pieces: pieces.length, ...last };
  },
  helper: async (api) => told(await api.messages.stream(asked("Say hello.")).finalMessage()),
  async tool(api) {
    const messages = says("What is the weather?");
    const message = await api.messages.stream({ model: MODEL, messages, tools, max_tokens: 64 }).finalMessage();
    const { id, name, input } = message.content.find((block) => block.type === "tool_use");
    messages.push({ role: "assistant", content: [{ type: "tool_use", id, name, input }] });
    messages.push({ role: "user", content: [{ type: "tool_result", tool_use_id: id, content: "Rain." }] });
    const answer = await api.messages.create({ model: MODEL, messages, tools, max_tokens: 64 });
    return { name, arguments: input, id: Boolean(id), stop: message.stop_reason, text: told(answer).text };
  },
  async models(api) {
    let has_model = false;
    for await (const model of api.models.list()) has_model ||= model.id === MODEL;
    return { has_model };
  },
  async count(api) {
    const { input_tokens: tokens } = await api.messages.countTokens({ model: MODEL, messages: says("Say hello.") });
    return { tokens };
  },
  async broken(api) {
    let text = "";
    try {
      for await (const event of await api.messages.create(asked("Break off.", { stream: true }))) {
        if (event.type === "content_block_delta") text += event.delta.text;
      }
    } catch (error) {
      return { text, error: error instanceof Anthropic.APIError, message: String(error) };
    }
    return { text, error: false };
  },
  no_model: (api) => api.messages.create({ ...asked("hi"), model: "unheard-of-model-9" }),
  bad: (api) => api.messages.create(asked("hi", { messages: [{ role: "oracle", content: "hi" }] })),
  limited: (api) => api.messages.create(asked("Be limited.")),
};

async function tell(op, run, token = process.env.CONVERGIO_TOKEN, maxRetries = 2) {
  let said;
  try {
    said = await run(new Anthropic({ baseURL, apiKey: token, maxRetries, timeout: 30_000 }));
  } catch (error) {
    said = { error: [error.constructor.name], status: error.status, message: String(error) };
  }
  console.log(JSON.stringify({ op, ...said }));
}

for (const op of ["whole", "stream", "helper", "tool", "models", "count", "broken"]) await tell(op, ops[op]);
for (const op of ["no_model", "bad"]) await tell(op, ops[op], process.env.CONVERGIO_TOKEN, 0);
await tell("wrong_token", ops.models, "cvt-nobody");
// With its retries: a used-up budget is not asked again.
await tell("poor", ops.whole, process.env.CONVERGIO_POOR);
// Last: nobody is asked for a while then.
await tell("limited", ops.limited, process.env.CONVERGIO_TOKEN, 0);
