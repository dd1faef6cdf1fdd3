// Drives the emulator with the official Node SDK. Usage: node drive.js STEP BASE_URL JSON
// Prints one JSON document: what the SDK gave back.
"use strict";

const Bandwidth = require("node-bandwidth");

const [step, baseUrl, text] = process.argv.slice(2);
const given = JSON.parse(text);
const client = new Bandwidth({
  baseUrl,
  userId: "u-emulator",
  apiToken: "t-emulator",
  apiSecret: "s-emulator",
});

async function failure(promise) {
  try {
    return { value: await promise };
  } catch (error) {
    const { name, message, statusCode, limitReset } = error;
    return { name, message, statusCode, limitReset };
  }
}

const steps = {
  async calls() {
    const { inbound, from, to, callbackUrl } = given;
    const created = await client.Call.create({ from, to, callbackUrl });
    const got = await client.Call.get(created.id);
    const listed = await client.Call.list({ from });
    await client.Call.speakSentence(inbound, "Hello");
    await client.Call.stopSpeaking(inbound);
    await client.Call.playAudioAdvanced(inbound, {
      fileUrl: "https://media.example.test/ring.mp3",
      loopEnabled: true,
    });
    await client.Call.stopAudioFilePlayback(inbound);
    await client.Call.enableRecording(inbound);
    await client.Call.disableRecording(inbound);
    const recordings = await client.Call.getRecordings(inbound);
    const gather = await client.Call.createGather(inbound, { maxDigits: 1 });
    await client.Call.completeGather(inbound, gather.id);
    await client.Call.sendDtmf(inbound, "1w2");
    const events = await client.Call.getEvents(inbound);
    const event = await client.Call.getEvent(inbound, events[0].id);
    const transferred = await client.Call.transfer(inbound, {
      transferTo: to,
      callbackUrl,
      diversionTreatment: "stack",
      diversionReason: "away",
    });
    const ringing = await client.Call.get(transferred.id);
    await client.Call.hangup(inbound);
    const ended = await client.Call.get(inbound);
    return { created, got, listed, recordings, events, event, transferred, ringing, ended };
  },

  async manual() {
    await client.Call.answer(given.first);
    await client.Call.reject(given.second);
    return {
      first: await client.Call.get(given.first),
      second: await client.Call.get(given.second),
    };
  },

  async bridges() {
    const created = await client.Bridge.create({ callIds: given.calls });
    await client.Bridge.speakSentence(created.id, "Hello");
    const calls = await client.Bridge.getCalls(created.id);
    const got = await client.Bridge.get(created.id);
    await client.Bridge.update(created.id, { callIds: [] });
    await client.Bridge.create({});
    const page = await client.Bridge.list({ size: 1 });
    const next = await page.getNextPage();
    return { created, calls, got, page, next, last: next.hasNextPage };
  },

  async account() {
    const { number, incomingCallUrl } = given;
    const created = await client.Application.create({ name: "node", incomingCallUrl });
    await client.Application.update(created.id, { autoAnswer: false });
    const got = await client.Application.get(created.id);
    const ordered = await client.PhoneNumber.create({ number });
    await client.PhoneNumber.update(ordered.id, { applicationId: created.id });
    const byNumber = await client.PhoneNumber.get(number);
    const { phoneNumbers } = await client.PhoneNumber.list({});
    await client.Application.delete(created.id);
    const { applications } = await client.Application.list({});
    return { created, got, byNumber, phoneNumbers, applications };
  },

  async refused() {
    const missing = await failure(client.Call.get("c-1"));
    const { errors } = await client.Error.list({});
    const error = await client.Error.get(errors[0].id);
    return { missing, errors, error };
  },

  async limited() {
    await client.Call.list({});
    return failure(client.Call.list({}));
  },

  async locationless() {
    return failure(client.Call.transfer(given.call, { transferTo: given.to }));
  },
};

steps[step]().then(
  (result) => console.log(JSON.stringify(result)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
