"""A Flask application that takes callbacks and does nothing."""

from flask import Flask

app = Flask(__name__)


@app.get("/healthz")
def healthz() -> str:
    return ""


@app.post("/callbacks/catapult")
def callback() -> str:
    return ""
