"""The official SDKs against a router in front of a provider that speaks another protocol.

    just clients

installs both SDKs under target/clients and runs this. It starts a small chat-completions provider of our own on loopback,
the built router in front of it, and then asks through the Python SDK here and the TypeScript SDK in `sdk.mjs`: create,
stream, a tool round trip with parallel calls, and an error.
"""

import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
CITIES = ["Paris", "Oslo"]


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers chat completions: calls the tool once for each city when there is one, else repeats what it was told."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        last = request["messages"][-1]
        if "fail" in str(last.get("content")):
            return self.whole(400, {"error": {"message": "you wanted it to fail", "type": "invalid_request_error"}})
        if last["role"] == "tool":
            results = [m["content"] for m in request["messages"] if m["role"] == "tool"]
            return self.answer(request, "It is " + " and ".join(results) + ".", [])
        if request.get("tools"):
            return self.answer(request, "Let me look.", CITIES)
        return self.answer(request, "You said: " + str(last["content"]), [])

    def answer(self, request, text, cities):
        calls = [
            {"id": f"call_{n}", "type": "function", "function": {"name": "weather", "arguments": json.dumps({"city": city})}}
            for n, city in enumerate(cities)
        ]
        finish = "tool_calls" if calls else "stop"
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        if not request.get("stream"):
            message = {"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {})
            choice = {"index": 0, "message": message, "finish_reason": finish}
            return self.whole(200, {"id": "c1", "object": "chat.completion", "model": request["model"], "choices": [choice], "usage": usage})
        deltas = [{"role": "assistant", "content": ""}] + [{"content": word} for word in re.findall(r"\S+\s*", text)]
        for n, call in enumerate(calls):
            arguments = call["function"]["arguments"]
            deltas.append({"tool_calls": [{"index": n, **call, "function": {"name": "weather", "arguments": ""}}]})
            deltas += [{"tool_calls": [{"index": n, "function": {"arguments": part}}]} for part in (arguments[:5], arguments[5:])]
        chunks = [{"id": "c1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
        chunks.append({"id": "c1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        chunks.append({"id": "c1", "object": "chat.completion.chunk", "choices": [], "usage": usage})
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.flush()
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def whole(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def router(provider):
    """Starts the router; returns the process and its address."""
    environment = {"PATH": os.environ["PATH"], "DEEPSEEK_BASE_URL": provider, "DEEPSEEK_API_KEY": "k"}
    command = [ROOT / "target/debug/rulegate", "run", "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, env=environment, cwd=ROOT / "target", stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if found := re.search(r"listening on (http://[0-9.:]+)", line):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, found[1]
    sys.exit("the router does not listen")


def python_sdk(url):
    import anthropic

    client = anthropic.Anthropic(base_url=url, api_key="any", max_retries=0)
    ask = {"model": "claude-sonnet-4-6", "max_tokens": 100}
    hello = [{"role": "user", "content": "Hello"}]

    message = client.messages.create(messages=hello, **ask)
    assert message.content[0].text == "You said: Hello", message
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("end_turn", 11, 7), message

    with client.messages.stream(messages=hello, **ask) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert text == "You said: Hello", text
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 7), message

    tools = [{"name": "weather", "description": "The weather of a city", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]
    for streaming in (False, True):
        turn = [{"role": "user", "content": "What is the weather?"}]
        if streaming:
            with client.messages.stream(messages=turn, tools=tools, **ask) as stream:
                message = stream.get_final_message()
        else:
            message = client.messages.create(messages=turn, tools=tools, **ask)
        assert message.stop_reason == "tool_use", message
        calls = [block for block in message.content if block.type == "tool_use"]
        assert [call.input for call in calls] == [{"city": city} for city in CITIES], message
        results = [{"type": "tool_result", "tool_use_id": call.id, "content": "rain in " + call.input["city"]} for call in calls]
        turn += [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
        message = client.messages.create(messages=turn, tools=tools, **ask)
        assert message.content[0].text == "It is rain in Paris and rain in Oslo.", message

    try:
        client.messages.create(messages=[{"role": "user", "content": "fail"}], **ask)
        raise AssertionError("it should have failed")
    except anthropic.BadRequestError as error:
        assert "you wanted it to fail" in str(error), error

    assert client.messages.count_tokens(model=ask["model"], messages=hello).input_tokens > 0
    assert any(model.id for model in client.models.list())
    print(f"python: anthropic {anthropic.__version__}: create, stream, tools, error, count_tokens, models")


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    process, url = router(f"http://127.0.0.1:{server.server_port}")
    try:
        python_sdk(url)
        if len(sys.argv) > 1:
            subprocess.run(["node", sys.argv[1], url], check=True)
    finally:
        process.terminate()
    print("2 passed, 0 failed" if len(sys.argv) > 1 else "1 passed, 0 failed")


if __name__ == "__main__":
    main()
