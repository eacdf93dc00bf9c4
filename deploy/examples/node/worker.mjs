// A worker on a named subscription: gets events, does its work, and says which are done.
//
//   cdgate subscription create workers --shared
//   node worker.mjs --gateway localhost:7443 --identity DIR --subscription workers
//     [--outstanding N] [--fail-every N]
//
// On a shared one start as many as there is work for: each event goes to one of them. Where one dies, another gets
// what it had, with a higher attempt; so the work must bear to be done twice. Here the work is to
// write a line to standard output: "got SEQUENCE ATTEMPT ID" before it is acknowledged, and
// "done SEQUENCE" once the gateway has that on disk.
//
// --fail-every N stands for work that fails: events whose sequence N divides are given back, come
// again after the subscription's backoff, and end in its dead letters
// (`cdgate subscription dead-letters workers`). On an ordered subscription, which one worker reads
// alone, events come in the order of the log and nothing is given back: "done SEQUENCE" is
// everything up to there.
import { connect, pause, readArguments } from './gateway.mjs';

const SILENCE_MS = 15_000; // the gateway says something every 5 seconds

const args = readArguments({
  subscription: { type: 'string' },
  outstanding: { type: 'string', default: '100' },
  'fail-every': { type: 'string', default: '0' },
});
if (!args.subscription) {
  console.error('--subscription is missing');
  process.exit(2);
}
const client = connect(args);
const failEvery = BigInt(args['fail-every']);

// The place of your work. False: it failed, and is to be tried again.
function work({ sequence, attempt, event }) {
  console.log(`got ${sequence} ${attempt} ${event.id}`);
  return failEvery === 0n || BigInt(sequence) % failEvery !== 0n;
}

function handleInOrder({ events }, stream) {
  events.forEach(work);
  stream.write({ ack: { sequence: events.at(-1).sequence, confirm: true } });
}

function handle({ events }, stream) {
  const done = [];
  const failed = [];
  for (const event of events) (work(event) ? done : failed).push(event.sequence);
  if (done.length > 0) stream.write({ ack: { sequences: done, confirm: true } });
  if (failed.length > 0) stream.write({ nack: { sequences: failed } });
}

function confirmed({ sequence, sequences }, shared) {
  for (const done of shared ? sequences : [sequence]) console.log(`done ${done}`);
}

// One Subscribe call. Resolves with the error that ended it, or with nothing.
function runStream() {
  const stream = client.subscribe();
  stream.write({ start: { subscription: args.subscription, maxOutstandingEvents: Number(args.outstanding) } });
  let shared = false;
  return new Promise((resolve) => {
    const silence = setTimeout(() => stream.cancel(), SILENCE_MS);
    const end = (error) => {
      clearTimeout(silence);
      resolve(error);
    };
    stream.on('data', (message) => {
      silence.refresh();
      switch (message.response) {
        case 'started': shared = message.started.shared; break;
        case 'events': (shared ? handle : handleInOrder)(message.events, stream); break;
        case 'ackConfirmed': confirmed(message.ackConfirmed, shared); break;
        default: // heartbeat; goAway: the stream ends soon
      }
    });
    stream.on('error', end);
    stream.on('end', () => end());
  });
}

// Until the process ends. A stream that ends is begun anew: the gateway restarts, or somebody
// changes the subscription.
for (;;) await pause(await runStream());
