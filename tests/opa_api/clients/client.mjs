// OPA's own client library, as it comes from npm, told nothing but an address: `node client.mjs URL FOLDER`.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [address, folder] = process.argv.slice(2);
const library = createRequire(pathToFileURL(folder + "/")).resolve("@open-policy-agent/opa");
const { OPAClient } = await import(pathToFileURL(library));
const opa = new OPAClient(address);

async function told(name, ask) {
  try {
    console.log(JSON.stringify([name, await ask() ?? null]));
  } catch (error) {
    console.log(JSON.stringify([name, "error", error.name, error.code ?? error.body?.code ?? null]));
  }
}

await told("allow", () => opa.evaluate("shop/orders/allow", { user: "alice" }));
await told("undefined", () => opa.evaluate("shop/orders/allow", { user: "bob" }));
await told("no input", () => opa.evaluate("shop/orders/limits"));
await told("default", () => opa.evaluateDefault({ user: "alice" }));
await told("converted", () => opa.evaluate("shop/orders/limits", {}, { fromResult: (limits) => limits.small === 1 }));
await told("object", () => opa.evaluate("shop/orders/echo", { list: [1, { text: "é" }] }));
await told("conflict", () => opa.evaluate("shop/orders/either", { user: "bob" }));
await told("batch", () => opa.evaluateBatch("shop/orders/allow", { a: { user: "alice" }, b: { user: "alice" } }, { fallback: true }));
