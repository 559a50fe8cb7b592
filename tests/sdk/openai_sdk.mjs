// OpenAI's SDK for Node before Convergio's gateway: what it makes of each answer, a JSON line each.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.CONVERGIO_SDK}/`);
const OpenAI = require("openai");

const MODEL = "mock/gpt-test";
const baseURL = `${process.env.CONVERGIO_BASE}/v1`;
const says = (content) => [{ role: "user", content }];
const tools = [{
  type: "function",
  function: {
    name: "weather",
    description: "The weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
}];
const asked = (text, more) => ({ model: MODEL, messages: says(text), max_tokens: 64, ...more });

const ops = {
  async whole(api) {
    const answer = await api.chat.completions.create(asked("Say hello."));
    const [{ message, finish_reason: stop }] = answer.choices;
    const { prompt_tokens: input, completion_tokens: output } = answer.usage;
    return { text: message.content, stop, input, output };
  },
  async stream(api) {
    const chunks = await api.chat.completions.create(
      asked("Say hello.", { stream: true, stream_options: { include_usage: true } }));
    let [text, stop, usage, pieces] = ["", null, null, 0];
    for await (const chunk of chunks) {
      usage = chunk.usage ?? usage;
      for (const choice of chunk.choices) {
        text += choice.delta.content ?? "";
        pieces += choice.delta.content ? 1 : 0;
        stop = choice.finish_reason ?? stop;
      }
    }
    return { text, stop, pieces, input: usage.prompt_tokens, output: usage.completion_tokens };
  },
  async helper(api) {
    const [choice] = (await api.chat.completions.stream(asked("Say hello.")).finalChatCompletion()).choices;
    return { text: choice.message.content, stop: choice.finish_reason };
  },
  async tool(api) {
    const messages = says("What is the weather?");
    const running = api.chat.completions.stream({ model: MODEL, messages, tools, max_tokens: 64 });
    const [choice] = (await running.finalChatCompletion()).choices;
    const [call] = choice.message.tool_calls;
    const { name, arguments: text } = call.function;
    messages.push({ role: "assistant", tool_calls: [{ id: call.id, type: "function", function: { name, arguments: text } }] });
    messages.push({ role: "tool", tool_call_id: call.id, content: "Rain." });
    const answer = await api.chat.completions.create({ model: MODEL, messages, tools, max_tokens: 64 });
    return { name, arguments: JSON.parse(text), id: Boolean(call.id), stop: choice.finish_reason, text: answer.choices[0].message.content };
  },
  async models(api) {
    let has_model = false;
    for await (const model of api.models.list()) has_model ||= model.id === MODEL;
    return { has_model };
  },
  async broken(api) {
    let text = "";
    try {
      const chunks = await api.chat.completions.create(asked("Break off.", { stream: true }));
      for await (const chunk of chunks) {
        for (const choice of chunk.choices) text += choice.delta.content ?? "";
      }
    } catch (error) {
      return { text, error: error instanceof OpenAI.APIError, message: String(error) };
    }
    return { text, error: false };
  },
  no_model: (api) => api.chat.completions.create({ ...asked("hi"), model: "unheard-of-model-9" }),
  bad: (api) => api.chat.completions.create(asked("hi", { n: 2 })),
  limited: (api) => api.chat.completions.create(asked("Be limited.")),
};

async function tell(op, run, token = process.env.CONVERGIO_TOKEN, maxRetries = 2) {
  let told;
  try {
    told = await run(new OpenAI({ baseURL, apiKey: token, maxRetries, timeout: 30_000 }));
  } catch (error) {
    told = { error: [error.constructor.name], status: error.status, message: String(error) };
  }
  console.log(JSON.stringify({ op, ...told }));
}

for (const op of ["whole", "stream", "helper", "tool", "models", "broken"]) await tell(op, ops[op]);
for (const op of ["no_model", "bad"]) await tell(op, ops[op], process.env.CONVERGIO_TOKEN, 0);
await tell("wrong_token", ops.models, "cvt-nobody");
// With its retries: a used-up budget is not asked again.
await tell("poor", ops.whole, process.env.CONVERGIO_POOR);
// Last: nobody is asked for a while then.
await tell("limited", ops.limited, process.env.CONVERGIO_TOKEN, 0);
