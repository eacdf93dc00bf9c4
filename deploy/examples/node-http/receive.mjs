// Receives the events that a gateway pushes to it, and prints a line for each.
//
//   node receive.mjs --port 8080 [--origin alpha.example] [--rate 600]
//     [--trouble 0.1 --seed 1]
//
// To OPTIONS it answers that it wants events from --origin (any, where that is not given), --rate of
// them a minute. For each event it prints "taken SEQUENCE ATTEMPT SUBJECT ID" and then answers 204:
// what is answered is done, and does not come again. With --trouble a share of the requests is
// answered with 500, or 429, or never, to see what the gateway does then; it prints "refused STATUS
// SEQUENCE ATTEMPT" for those.
//
// Behind a proxy that ends TLS, or for a gateway on this machine: it speaks HTTP in clear text.
import { writeSync } from 'node:fs';
import http from 'node:http';
import { parseArgs } from 'node:util';
import { HTTP } from 'cloudevents';

const { values: args } = parseArgs({
  options: {
    port: { type: 'string', default: '8080' },
    origin: { type: 'string', default: '*' },
    rate: { type: 'string', default: '*' },
    trouble: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
  },
});

// At once, so that a line that was written is there whatever happens to us.
const print = (line) => writeSync(1, `${line}\n`);

// The same for the same event and attempt: 0 to 1.
function shareOf(sequence, attempt) {
  let x = (Number(sequence) * 2654435761 + Number(attempt) * 40503 + Number(args.seed) * 97) >>> 0;
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d) >>> 0;
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39) >>> 0;
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
}

// What to do with a request instead of taking it; undefined: take it.
function troubleOf(sequence, attempt) {
  const share = shareOf(sequence, attempt) / Number(args.trouble);
  if (!(share < 1)) return undefined;
  return share < 0.6 ? '500' : share < 0.9 ? '429' : 'hang';
}

// The SDK leaves this to its caller, as for sending: header fields are percent-encoded (CloudEvents
// HTTP binding 1.0.2, section 3.1.3.2).
function decoded(headers) {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) =>
    [name, name.startsWith('ce-') ? decodeURIComponent(value) : value]));
}

function grant(response) {
  response.writeHead(200, {
    Allow: 'POST, OPTIONS',
    'WebHook-Allowed-Origin': args.origin,
    'WebHook-Allowed-Rate': args.rate,
  });
  response.end();
}

function take(request, body, response) {
  const sequence = request.headers['cdgate-sequence'];
  const attempt = request.headers['cdgate-attempt'];
  const trouble = troubleOf(sequence, attempt);
  if (trouble !== undefined) {
    print(`refused ${trouble} ${sequence} ${attempt}`);
    if (trouble === 'hang') return;
    response.writeHead(Number(trouble), trouble === '429' ? { 'Retry-After': '1' } : {});
    response.end('in trouble');
    return;
  }
  const event = HTTP.toEvent({ headers: decoded(request.headers), body });
  print(`taken ${sequence} ${attempt} ${event.data.subject.id} ${event.id}`);
  response.writeHead(204);
  response.end();
}

const server = http.createServer((request, response) => {
  if (request.method === 'OPTIONS') return grant(response);
  if (request.method !== 'POST') {
    response.writeHead(405, { Allow: 'POST, OPTIONS' });
    return response.end();
  }
  const parts = [];
  request.on('data', (part) => { parts.push(part); });
  request.on('end', () => {
    try {
      take(request, Buffer.concat(parts).toString('utf8'), response);
    } catch (error) {
      response.writeHead(400);
      response.end(String(error.message));
    }
  });
  return undefined;
});
server.listen(Number(args.port), '127.0.0.1', () => { print(`listening ${server.address().port}`); });
