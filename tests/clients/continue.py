"""The official SDKs read a stream that one provider began and another one went on with as one answer.

    just clients

Two small chat-completions providers of our own: the first breaks its connection off in the middle of a text, the second goes
on. Between them and the SDKs is the built router, with `continue: true`.
"""

import http.server
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading

import anthropic
import openai

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = """
include: [ "builtin:protocols/*.yaml", "builtin:mappings/*.yaml" ]
providers:
  first: { speaks: openai.chat, url: "FIRST", key: k, models: { "*": m } }
  second: { speaks: openai.chat, url: "SECOND", key: k, models: { "*": m } }
routes:
  - { path: /v1/messages, protocol: anthropic.messages, continue: true }
  - { path: /v1/chat/completions, protocol: openai.chat, continue: true }
failover: [ { name: broken, when: { failure: [ reset, closed, cut_off ] }, do: next } ]
"""


def provider(texts, breaks, seen):
    class Provider(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments):
            pass

        def chunk(self, delta, finish=None):
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            self.data(json.dumps({"id": "c-" + texts[0], "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], "usage": None}))

        def data(self, text):
            text = f"data: {text}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
            self.wfile.flush()

        def do_POST(self):
            seen.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            self.chunk({"role": "assistant", "content": ""})
            for text in texts:
                self.chunk({"content": text})
            self.close_connection = True
            if breaks:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            self.chunk({}, "stop")
            self.data(json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22}}))
            self.data("[DONE]")
            self.wfile.write(b"0\r\n\r\n")

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def router(folder, first, second):
    rules = pathlib.Path(folder, "rules.yaml")
    rules.write_text(RULES.replace("FIRST", first).replace("SECOND", second))
    command = [ROOT / "target/debug/rulegate", "run", "--rules", rules, "--listen", "127.0.0.1:0"]
    process = subprocess.Popen(command, env={"PATH": os.environ["PATH"]}, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if found := re.search(r"listening on (http://[0-9.:]+)", line):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return process, found[1]
    sys.exit("the router does not listen")


def main():
    begun, rest = [], []
    with tempfile.TemporaryDirectory() as folder:
        first = provider(["Once upon ", "a time "], True, begun)
        process, url = router(folder, first, provider(["there was", " a king."], False, rest))
        clear = lambda: openai.OpenAI(base_url=url, api_key="any").post("/-/providers/first/clear", cast_to=object)
        hello = [{"role": "user", "content": "Tell me a story"}]
        try:
            client = anthropic.Anthropic(base_url=url, api_key="any", max_retries=0)
            with client.messages.stream(model="m", max_tokens=100, messages=hello) as stream:
                text = "".join(stream.text_stream)
                message = stream.get_final_message()
            assert text == "Once upon a time there was a king.", text
            assert [block.text for block in message.content] == [text], message
            assert message.stop_reason == "end_turn" and message.usage.output_tokens > 2, message
            assert rest[0]["messages"][1]["content"] == "Once upon a time", rest[0]
            print(f"python: anthropic {anthropic.__version__}: a stream of two providers is one message")

            clear()
            client = openai.OpenAI(base_url=url + "/v1", api_key="any", max_retries=0)
            chunks = []
            options = {"include_usage": True}
            for chunk in client.chat.completions.create(model="m", messages=hello, stream=True, stream_options=options):
                chunks.append(chunk)
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            assert text == "Once upon a time there was a king.", text
            assert len({chunk.id for chunk in chunks}) == 1, chunks
            assert chunks[-1].usage.completion_tokens > 2, chunks[-1]

            clear()
            with client.chat.completions.stream(model="m", messages=hello) as stream:
                for _ in stream:
                    pass
                message = stream.get_final_completion().choices[0]
            assert (message.message.content, message.message.role, message.finish_reason) == (text, "assistant", "stop"), message
            assert (len(begun), len(rest)) == (3, 3)
            print(f"python: openai {openai.__version__}: a stream of two providers is one completion")
        finally:
            process.terminate()
            process.wait()
    print("2 passed, 0 failed")


main()
