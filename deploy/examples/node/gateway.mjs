// What all examples need: the service from its .proto files, a connection over mutual
// TLS, and the registered reason of an error.
import { readFileSync } from 'node:fs';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const here = dirname(fileURLToPath(import.meta.url));
const definition = protoLoader.loadSync(
  ['cdgate/events/v1/events.proto', 'google/rpc/status.proto', 'google/rpc/error_details.proto'],
  {
    includeDirs: [process.env.CDGATE_PROTO ?? join(here, '../../../proto')],
    longs: String, // sequences are 64 bits
    oneofs: true,
    defaults: true,
    json: true, // details of an error come decoded
  });
const { EventsService } = grpc.loadPackageDefinition(definition).cdgate.events.v1;

// Arguments: --gateway host:port and --identity DIR (tls.crt, tls.key and bundle.pem), by
// default CDGATE_GATEWAY and CDGATE_IDENTITY, and the options of the example.
export function readArguments(options) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      gateway: { type: 'string', default: process.env.CDGATE_GATEWAY },
      identity: { type: 'string', default: process.env.CDGATE_IDENTITY },
      ...options,
    },
  });
  for (const name of ['gateway', 'identity']) {
    if (!values[name]) {
      console.error(`--${name} is missing`);
      process.exit(2);
    }
  }
  return { ...values, files: positionals };
}

// A client of the gateway's api listener. The gateway proves itself by its certificate,
// which names the host, and the client by its own.
export function connect({ gateway, identity }) {
  const read = (name) => readFileSync(join(identity, name));
  const credentials = grpc.credentials.createSsl(
    read('bundle.pem'), read('tls.key'), read('tls.crt'));
  return new EventsService(gateway, credentials, {
    'grpc.initial_reconnect_backoff_ms': 200,
    'grpc.max_reconnect_backoff_ms': 5000,
  });
}

// The reason of a google.rpc.Status or of a failed call; undefined where the gateway did
// not say one, as when it cannot be reached.
export function reasonOf(error) {
  return statusOf(error)?.details
    ?.find((detail) => detail['@type']?.endsWith('google.rpc.ErrorInfo'))?.reason;
}

function statusOf(error) {
  if (!error.metadata) return error; // a result of PublishStream
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  return bytes && definition['google.rpc.Status'].deserialize(bytes);
}

// After a stream ended with `error`, or by itself: waits a moment where another try may
// help, else ends the program and says why.
export async function pause(error) {
  const { UNAVAILABLE, CANCELLED, RESOURCE_EXHAUSTED, ABORTED } = grpc.status;
  const mayHelp = !error || [UNAVAILABLE, CANCELLED, RESOURCE_EXHAUSTED, ABORTED].includes(error.code);
  const why = error ? `${reasonOf(error) ?? grpc.status[error.code]}: ${error.details}` : 'the stream ended';
  console.error(mayHelp ? `${why}; trying again` : why);
  if (!mayHelp) process.exit(1);
  await sleep(500);
}
