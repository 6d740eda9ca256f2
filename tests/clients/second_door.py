"""OpenAI's official SDK against a router in front of a provider that speaks Anthropic messages.

    just clients

runs this too. It starts a small messages provider of our own on loopback, the built router in front of it, and then asks
as a client of chat completions: create, stream, a tool round trip with parallel calls, structured output, errors, models.
"""

import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import threading

import openai

ROOT = pathlib.Path(__file__).resolve().parents[2]
CITIES = ["Paris", "Oslo"]
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "The weather of a city", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers messages: calls the tool once for each city and once without any, else repeats what it was told."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        assert self.headers["anthropic-version"] and self.headers["x-api-key"] == "k", self.headers
        blocks = request["messages"][-1]["content"]
        texts = " ".join(block.get("text", "") for block in blocks)
        if "fail" in texts:
            return self.whole(400, {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 2 tokens > 1 maximum"}})
        usage = {"input_tokens": 4, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 0, "output_tokens": 9}
        if results := [block["content"] for block in blocks if block["type"] == "tool_result"]:
            content, reason = [{"type": "text", "text": "It is " + " and ".join(results) + "."}], "end_turn"
        elif request.get("tools"):
            content = [{"type": "thinking", "thinking": "Cities.", "signature": "c2ln"}, {"type": "text", "text": "Let me look."}]
            inputs = [{"city": city} for city in CITIES] + [{}]
            content += [{"type": "tool_use", "id": f"toolu_{n}", "name": "weather", "input": value} for n, value in enumerate(inputs)]
            reason = "tool_use"
        elif request.get("output_config"):
            assert request["output_config"]["format"]["schema"]["additionalProperties"] is False, request
            content, reason = [{"type": "text", "text": '{"name": "Ann"}'}], "end_turn"
        else:
            content, reason = [{"type": "text", "text": "You said: " + texts}], "end_turn"
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": request["model"], "content": content, "stop_reason": reason, "stop_sequence": None, "usage": usage}
        if request.get("stream"):
            self.stream(message)
        else:
            self.whole(200, message)

    def stream(self, message):
        usage = message["usage"]
        events = [{"type": "message_start", "message": message | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}}, {"type": "ping"}]
        for index, block in enumerate(message["content"]):
            kind, part, start = {
                "text": ("text_delta", "text", {"type": "text", "text": ""}),
                "thinking": ("thinking_delta", "thinking", {"type": "thinking", "thinking": "", "signature": ""}),
                "tool_use": ("input_json_delta", "partial_json", block | {"input": {}}),
            }[block["type"]]
            said = block.get(part, json.dumps(block["input"]) if block.get("input") else "")
            events.append({"type": "content_block_start", "index": index, "content_block": start})
            events += [{"type": "content_block_delta", "index": index, "delta": {"type": kind, part: piece}} for piece in re.findall(r"\S+\s*", said)]
            events.append({"type": "content_block_stop", "index": index})
        events.append({"type": "message_delta", "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None}, "usage": {"output_tokens": usage["output_tokens"]}})
        events.append({"type": "message_stop"})
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for event in events:
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()
        self.close_connection = True

    def whole(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("request-id", "req_1")
        self.end_headers()
        self.wfile.write(body)


def router(provider):
    """Starts the router; returns the process and its address."""
    environment = {"PATH": os.environ["PATH"], "CLAUDE_BASE_URL": provider, "CLAUDE_API_KEY": "k"}
    command = [ROOT / "target/debug/rulegate", "run", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, env=environment, cwd=ROOT / "target", stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if found := re.search(r"listening on (http://[0-9.:]+)", line):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, found[1]
    sys.exit("the router does not listen")


def ask_all(client):
    ask = {"model": "claude-sonnet-4-6"}
    hello = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]

    answer = client.chat.completions.create(messages=hello, **ask)
    assert answer.choices[0].message.content == "You said: Hello", answer
    assert (answer.choices[0].finish_reason, answer.object, answer._request_id) == ("stop", "chat.completion", "req_1"), answer
    counts = answer.usage
    assert (counts.prompt_tokens, counts.prompt_tokens_details.cached_tokens, counts.total_tokens) == (11, 7, 20), answer

    chunks = list(client.chat.completions.create(messages=hello, stream=True, stream_options={"include_usage": True}, **ask))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "You said: Hello", chunks
    assert chunks[-1].usage.total_tokens == 20 and not chunks[-1].choices, chunks

    for streaming in (False, True):
        turn = [{"role": "user", "content": "What is the weather?"}]
        if streaming:
            with client.chat.completions.stream(messages=turn, tools=TOOLS, **ask) as stream:
                stream.until_done()
                message = stream.get_final_completion().choices[0]
        else:
            message = client.chat.completions.create(messages=turn, tools=TOOLS, **ask).choices[0]
        assert message.finish_reason == "tool_calls", message
        calls = message.message.tool_calls
        assert [json.loads(call.function.arguments) for call in calls] == [{"city": city} for city in CITIES] + [{}], message
        turn.append(message.message.to_dict())
        turn += [{"role": "tool", "tool_call_id": call.id, "content": "rain in " + json.loads(call.function.arguments).get("city", "nowhere")} for call in calls]
        message = client.chat.completions.create(messages=turn, tools=TOOLS, **ask).choices[0].message
        assert message.content == "It is rain in Paris and rain in Oslo and rain in nowhere.", message

    schema = {"name": "person", "schema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}}
    answer = client.chat.completions.create(messages=hello, response_format={"type": "json_schema", "json_schema": schema}, **ask)
    assert json.loads(answer.choices[0].message.content) == {"name": "Ann"}, answer

    for more in ({"messages": [{"role": "user", "content": "fail"}]}, {"messages": hello, "n": 2}):
        try:
            client.chat.completions.create(**more, **ask)
            raise AssertionError("it should have failed")
        except openai.BadRequestError as error:
            assert error.code == (None if "n" in more else "context_length_exceeded"), error

    assert any(model.id for model in client.models.list())
    print(f"python: openai {openai.__version__}: create, stream, tools, structured output, errors, models")


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    process, url = router(f"http://127.0.0.1:{server.server_port}")
    try:
        ask_all(openai.OpenAI(base_url=url + "/v1", api_key="any", max_retries=0))
    finally:
        process.terminate()
    print("1 passed, 0 failed")


main()
