"""The shortest forwarder in Flask with the official SDK, which calls `requests.request`."""

import os

import bandwidth
from flask import Flask, request

app = Flask(__name__)
voice = bandwidth.client(
    "voice",
    os.environ["BANDWIDTH_USER_ID"],
    os.environ["BANDWIDTH_API_TOKEN"],
    os.environ["BANDWIDTH_API_SECRET"],
    api_endpoint=os.environ["BANDWIDTH_API_URL"].removesuffix("/v1"),
)


@app.get("/healthz")
def healthz() -> str:
    return ""


@app.post("/callbacks/catapult")
def callback() -> str:
    event = request.get_json()
    if event["eventType"] == "answer":
        voice.transfer_call(event["callId"], os.environ["TRANSFER_TO"])
    return ""
