// The TypeScript SDK's part of `run.py`, which starts the router and says where it is.
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: process.argv[2], apiKey: "any", maxRetries: 0 });
const ask = { model: "claude-sonnet-4-6", max_tokens: 100 };
const hello = [{ role: "user", content: "Hello" }];
const cities = [{ city: "Paris" }, { city: "Oslo" }];

let message = await client.messages.create({ ...ask, messages: hello });
assert.equal(message.content[0].text, "You said: Hello");
assert.equal(message.stop_reason, "end_turn");

let text = "";
const stream = client.messages.stream({ ...ask, messages: hello }).on("text", (piece) => (text += piece));
message = await stream.finalMessage();
assert.equal(text, "You said: Hello");
assert.equal(message.usage.output_tokens, 7);

const tools = [{ name: "weather", description: "The weather", input_schema: { type: "object", properties: { city: { type: "string" } } } }];
for (const streaming of [false, true]) {
  const turn = [{ role: "user", content: "What is the weather?" }];
  message = streaming
    ? await client.messages.stream({ ...ask, tools, messages: turn }).finalMessage()
    : await client.messages.create({ ...ask, tools, messages: turn });
  assert.equal(message.stop_reason, "tool_use");
  const calls = message.content.filter((block) => block.type === "tool_use");
  assert.deepEqual(calls.map((call) => call.input), cities);
  const results = calls.map((call) => ({ type: "tool_result", tool_use_id: call.id, content: `rain in ${call.input.city}` }));
  turn.push({ role: "assistant", content: message.content }, { role: "user", content: results });
  message = await client.messages.create({ ...ask, tools, messages: turn });
  assert.equal(message.content[0].text, "It is rain in Paris and rain in Oslo.");
}

await assert.rejects(client.messages.create({ ...ask, messages: [{ role: "user", content: "fail" }] }), (error) => {
  return error instanceof Anthropic.BadRequestError && error.message.includes("you wanted it to fail");
});
console.log("node: @anthropic-ai/sdk: create, stream, tools, error");
