// Publishes CDEvents, one JSON object per line, from files or standard input.
//
//   node publish.mjs --gateway localhost:7443 --identity DIR [FILE...]
//
// Prints "sequence id" for each event that the gateway has on disk, "sequence id duplicate"
// for one it had already, and the reason for each it refuses; exits with 1 if it refused
// any. Where the connection breaks, everything unanswered is sent again: the gateway
// knows an event by its source and id, so nothing comes out twice.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { connect, pause, readArguments, reasonOf } from './gateway.mjs';

const BATCH = 64; // events in a message at most
const WINDOW = 1024; // events read and not answered at most

const args = readArguments({});
const client = connect(args);
const unanswered = []; // oldest first
let sent = 0; // how many of them the current stream has
let inputEnded = false;
let refused = 0;
let wakeReader = () => {}; // there is room for more
let wakeWriter = () => {}; // there is something to send

// The CloudEvent around a CDEvent, by the CDEvents CloudEvents binding. The data is the
// line itself: the gateway keeps its bytes as they are.
function cloudEvent(line) {
  const { context, subject } = JSON.parse(line);
  return {
    id: context.id,
    source: context.source,
    specVersion: '1.0',
    type: context.type,
    attributes: {
      subject: { ceString: subject.id },
      time: { ceTimestamp: timestamp(context.timestamp) },
      datacontenttype: { ceString: 'application/json' },
    },
    binaryData: Buffer.from(line),
  };
}

function timestamp(text) {
  const ms = Date.parse(text);
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: (ms - seconds * 1000) * 1e6 };
}

function report(event, { sequence, duplicate, error }) {
  if (error) {
    refused += 1;
    console.error(`${event.id}: ${reasonOf(error)}: ${error.message}`);
  } else {
    console.log(`${sequence} ${event.id}${duplicate ? ' duplicate' : ''}`);
  }
}

// Sends all that is unanswered and what comes, over one stream. Resolves when that ends:
// with the error, or with nothing once the input has ended and everything is answered.
function runStream() {
  const stream = client.publishStream();
  sent = 0;
  wakeWriter = () => {
    while (sent < unanswered.length) {
      const events = unanswered.slice(sent, sent + BATCH);
      sent += events.length;
      stream.write({ events });
    }
    if (inputEnded && unanswered.length === 0) stream.end();
  };
  wakeWriter();
  return new Promise((resolve) => {
    stream.on('data', ({ results }) => {
      sent -= results.length;
      for (const result of results) report(unanswered.shift(), result);
      wakeReader();
      wakeWriter();
    });
    stream.on('error', resolve);
    stream.on('end', () => resolve());
  });
}

async function readInput() {
  const inputs = args.files.length > 0 ? args.files.map((file) => createReadStream(file)) : [process.stdin];
  for (const input of inputs) {
    for await (const line of createInterface({ input })) {
      if (line.trim() === '') continue;
      while (unanswered.length >= WINDOW) await new Promise((resolve) => { wakeReader = resolve; });
      unanswered.push(cloudEvent(line));
      setImmediate(() => wakeWriter()); // lines that arrive together leave together
    }
  }
  inputEnded = true;
  wakeWriter();
}

const reading = readInput();
for (let error; (error = await runStream());) {
  wakeWriter = () => {};
  await pause(error);
}
await reading;
client.close();
process.exitCode = refused > 0 ? 1 : 0;
