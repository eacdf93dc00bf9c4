// Publishes CDEvents, one JSON object per line of standard input, over HTTP.
//
//   export CDGATE_TOKEN=cdgate_…        # of cdgate token create
//   node publish.mjs --url https://gw.alpha.example:8443 --ca bundle.pem [--mode binary|structured|batch]
//
// Prints "sequence id" for each event that the gateway has on disk, with "duplicate" for one
// it had already, and the reason for each it refuses; exits with 1 if it refused any. An
// answer of 429 or 503, or none at all, is worth another try: the gateway knows an event by
// its source and id, so nothing comes out twice.
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { CloudEvent, HTTP } from 'cloudevents';

const BATCH = 100; // events in a request at most
const TRIES = 5;

const { values: args } = parseArgs({
  options: {
    url: { type: 'string' },
    ca: { type: 'string' },
    mode: { type: 'string', default: 'binary' },
  },
});
const agent = new https.Agent({ ca: readFileSync(args.ca), keepAlive: true });
let refused = 0;

// The CloudEvent around a CDEvent, by the CDEvents CloudEvents binding.
function cloudEvent(cdevent) {
  const { id, source, type, timestamp } = cdevent.context;
  return new CloudEvent({
    id,
    source,
    type,
    time: timestamp,
    subject: cdevent.subject.id,
    datacontenttype: 'application/json',
    data: cdevent,
  });
}

// The SDK leaves this to its caller: space, '"', '%' and what is not ASCII are
// percent-encoded in a header field (CloudEvents HTTP binding 1.0.2, section 3.1.3.2).
function encoded(headers) {
  const encode = (text) => String(text).replace(/[^!#$&-~]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`).join(''));
  return Object.fromEntries(Object.entries(headers).map(([name, value]) =>
    [name, name.startsWith('ce-') ? encode(value) : value]));
}

const forms = {
  binary: (events) => {
    const { headers, body } = HTTP.binary(events[0]);
    return { headers: encoded(headers), body };
  },
  structured: (events) => HTTP.structured(events[0]),
  batch: (events) => ({
    headers: { 'content-type': 'application/cloudevents-batch+json' },
    body: JSON.stringify(events),
  }),
};

function post({ headers, body }) {
  return new Promise((resolve, reject) => {
    const request = https.request(args.url, {
      method: 'POST',
      agent,
      headers: { ...headers, authorization: `Bearer ${process.env.CDGATE_TOKEN}`, 'content-length': Buffer.byteLength(body) },
    }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => { text += part; });
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function postWithRetries(message) {
  for (let tries = 1; ; ++tries) {
    const answer = await post(message).catch((error) => ({ error }));
    const retry = answer.error !== undefined || answer.status === 429 || answer.status === 503;
    if (!retry || tries === TRIES) {
      if (answer.error) throw answer.error;
      return answer;
    }
    const seconds = Number(answer.headers?.['retry-after'] ?? 2 ** tries / 10);
    await new Promise((resolve) => { setTimeout(resolve, seconds * 1000); });
  }
}

function report({ id, sequence, duplicate, reason, detail }) {
  if (reason) {
    refused += 1;
    console.error(`${id ?? '-'}: ${reason}: ${detail}`);
  } else {
    console.log(`${sequence} ${id}${duplicate ? ' duplicate' : ''}`);
  }
}

async function publish(events) {
  const { text } = await postWithRetries(forms[args.mode](events));
  const answer = JSON.parse(text);
  for (const result of answer.results ?? [answer]) report(result);
}

const size = args.mode === 'batch' ? BATCH : 1;
let waiting = [];
for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === '') continue;
  waiting.push(cloudEvent(JSON.parse(line)));
  if (waiting.length === size) await publish(waiting.splice(0));
}
if (waiting.length > 0) await publish(waiting);
agent.destroy();
process.exitCode = refused > 0 ? 1 : 0;
