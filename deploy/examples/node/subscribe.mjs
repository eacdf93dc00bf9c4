// Prints the events that this identity may see, one JSON object per line:
// {"sequence", "origin", "attempt", "event": the CDEvent as published}.
//
//   node subscribe.mjs --gateway localhost:7443 --identity DIR
//     [--filter CESQL] [--from earliest|latest] [--max N] [--position FILE | --name NAME]
//
// --position FILE keeps the place in the log in FILE: a later run goes on after the last
// event that this one printed. --name NAME has the gateway keep it, as a durable
// subscription, from ack to ack. Without either, a later run starts anew; a connection
// that breaks is resumed in every case.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect, pause, readArguments } from './gateway.mjs';

const args = readArguments({
  filter: { type: 'string', default: '' },
  from: { type: 'string', default: 'latest' },
  max: { type: 'string', default: '0' },
  position: { type: 'string' },
  name: { type: 'string', default: '' },
});
const client = connect(args);
let remaining = Number(args.max) || Infinity;
// {epoch, sequence} of the last event handled; undefined before the first.
let position = args.position && existsSync(args.position)
  ? JSON.parse(readFileSync(args.position, 'utf8')) : undefined;

function start() {
  return {
    subscription: args.name,
    filter: args.filter,
    from: position ? { after: position } : { [args.from]: true },
  };
}

function print({ sequence, origin, attempt, event }) {
  const data = event.binaryData?.length ? event.binaryData.toString() : event.textData;
  console.log(JSON.stringify({ sequence: Number(sequence), origin, attempt, event: JSON.parse(data) }));
}

// Only what has been handled may be remembered or acknowledged.
function advance(to) {
  position = to;
  if (!args.position) return;
  writeFileSync(`${args.position}.new`, JSON.stringify(position));
  renameSync(`${args.position}.new`, args.position);
}

function handle({ events }, stream) {
  const wanted = events.slice(0, remaining);
  if (wanted.length === 0) return;
  wanted.forEach(print);
  remaining -= wanted.length;
  const { sequence } = wanted.at(-1);
  advance({ ...position, sequence });
  stream.write({ ack: { sequence, confirm: remaining === 0 } });
}

// One Subscribe call. Resolves with the error that ended it, or with nothing once --max
// events are printed and acknowledged.
function runStream() {
  const stream = client.subscribe();
  stream.write({ start: start() });
  return new Promise((resolve) => {
    stream.on('data', (message) => {
      switch (message.response) {
        case 'started': return advance(message.started.position);
        case 'events': return handle(message.events, stream);
        // Everything up to here was delivered or did not match.
        case 'heartbeat': return remaining > 0 && advance(message.heartbeat.position);
        case 'ackConfirmed': resolve(); return stream.cancel();
        default: return undefined; // goAway: the stream ends soon and is opened again
      }
    });
    stream.on('error', resolve);
    stream.on('end', () => resolve());
  });
}

while (remaining > 0) {
  const error = await runStream();
  if (remaining > 0) await pause(error);
}
client.close();
