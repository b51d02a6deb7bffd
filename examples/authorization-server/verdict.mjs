// Verdict over gRPC: clients of its services, and JSON to and from google.protobuf.Struct.

import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const PROTO = fileURLToPath(new URL('../../proto', import.meta.url));
const FILES = ['issuance_service', 'decision_service'].map((name) => `verdict/v1/${name}.proto`);

const value = (json) => {
  if (json === null) return { nullValue: 'NULL_VALUE' };
  if (Array.isArray(json)) return { listValue: { values: json.map(value) } };
  switch (typeof json) {
    case 'boolean': return { boolValue: json };
    case 'number': return { numberValue: json };
    case 'string': return { stringValue: json };
    default: return { structValue: struct(json) };
  }
};

const plain = ({ kind, ...held }) => {
  if (kind === 'structValue') return json(held.structValue);
  if (kind === 'listValue') return held.listValue.values.map(plain);
  return kind === 'nullValue' ? null : held[kind];
};

// JSON as a Struct.
export const struct = (members) => ({
  fields: Object.fromEntries(Object.entries(members).map(([name, member]) => [name, value(member)])),
});

// A Struct as JSON.
export const json = (members) =>
  Object.fromEntries(Object.entries(members?.fields ?? {}).map(([name, member]) => [name, plain(member)]));

// The services of a server; each call is a promise, and fails where Verdict can't be asked.
export function services(address) {
  const options = { includeDirs: [PROTO], longs: Number, enums: String, defaults: true, oneofs: true };
  const { verdict: { v1 } } = grpc.loadPackageDefinition(loader.loadSync(FILES, options));
  const plaintext = grpc.credentials.createInsecure();
  const issuance = new v1.IssuanceService(address, plaintext);
  const decision = new v1.DecisionService(address, plaintext);
  const call = (service, method) => (request) => new Promise((done, fail) => {
    const deadline = new Date(Date.now() + 2_000);
    service[method](request, { deadline }, (error, answer) => (error ? fail(error) : done(answer)));
  });
  return {
    authorize: call(issuance, 'authorize'),
    check: call(decision, 'check'),
    close: () => [issuance, decision].forEach((service) => service.close()),
  };
}
