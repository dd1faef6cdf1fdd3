// The shortest forwarder in Express with the official SDK. Usage: node server.js [PROCESSES]
"use strict";

const cluster = require("cluster");
const express = require("express");
const Bandwidth = require("node-bandwidth");

const { env, argv } = process;
const processes = Number(argv[2] || 1);

if (processes > 1 && cluster.isPrimary) {
  for (let started = 0; started < processes; started += 1) cluster.fork();
} else {
  const client = new Bandwidth({
    baseUrl: env.BANDWIDTH_API_URL.replace(/\/v1$/, ""),
    userId: env.BANDWIDTH_USER_ID,
    apiToken: env.BANDWIDTH_API_TOKEN,
    apiSecret: env.BANDWIDTH_API_SECRET,
  });
  const app = express();
  app.use(express.json());
  app.get("/healthz", (request, response) => response.sendStatus(200));
  app.post("/callbacks/catapult", async (request, response) => {
    if (request.body.eventType === "answer") {
      await client.Call.transfer(request.body.callId, { transferTo: env.TRANSFER_TO });
    }
    response.sendStatus(200);
  });
  app.listen(Number(env.PORT), "127.0.0.1");
}
