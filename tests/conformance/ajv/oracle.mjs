// What ajv says of CDEvents by the official schemas.
//
//   node oracle.mjs FOLDER < questions > verdicts
//
// FOLDER has the releases as folders: v0.5.1/schemas/*.json, v0.5.1/schemas/links/*.json,
// v0.5.1/custom/schema.json, and catalogue.json, from which those of v0.4.0 and 0.6.0-draft
// are made (catalogue.mjs). A question is a line
//
//   {"release":"v0.5.1","schema":"pipelinerunfinished","text":"{\"context\":..."}
//
// whose schema is the name of a file without ".json": of an event, "links/linkend", or
// "custom". Without a release the three that have files are looked at, without a schema it
// is the one that has the text's context.type in its enum; links, which have no type, need
// both. A type dev.cdeventsx.* is a custom event, without a release of v0.5.1 where it has
// context.specversion, else of v0.4.1.
//
// A verdict is a line
//
//   {"valid":false,"faults":[{"path":"/subject/content/url","keyword":"additionalProperties"}]}
//
// with the faults in ajv's order. The path is a JSON pointer (RFC 6901) to the value that
// is wrong; of `required` to the member that is missing, of `additionalProperties` to the
// one too many. Of links in an array there are the faults of every kind of link, then one
// `anyOf`. Two keywords are this program's own: "json" where the text is not JSON, and
// "schema" where no schema has its type.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { catalogueSchemas } from "./catalogue.mjs";
import { answer, questions } from "./lines.mjs";

const RELEASES = ["v0.3.0", "v0.4.1", "v0.5.1"];
const CATALOGUE_RELEASES = ["v0.4.0", "0.6.0-draft"];

function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

function schemaFiles(folder, prefix = "") {
  return readdirSync(join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
    const name = prefix + entry.name;
    if (entry.isDirectory()) return schemaFiles(folder, `${name}/`);
    return name.endsWith(".json") ? [name.slice(0, -".json".length)] : [];
  });
}

// [name, schema] of each file.
function folderSchemas(folder) {
  const schemas = join(folder, "schemas");
  const found = schemaFiles(schemas).map((name) => [name, readJson(join(schemas, `${name}.json`))]);
  const custom = join(folder, "custom", "schema.json");
  return existsSync(custom) ? [...found, ["custom", readJson(custom)]] : found; // not in v0.3.0
}

// The schemas of one release; each is compiled when it is first asked for.
class Release {
  #ajv = new Ajv2020({ strict: false, allErrors: true });
  #schemas = new Map();
  #types = new Map(); // type -> name of its schema

  constructor(schemas) {
    addFormats(this.#ajv);
    for (const [name, schema] of schemas) this.#add(name, schema);
  }

  #add(name, schema) {
    this.#ajv.addSchema(schema);
    this.#schemas.set(name, schema.$id);
    for (const type of schema.properties?.context?.properties?.type?.enum ?? []) {
      this.#types.set(type, name);
    }
  }

  schemaOf(type) {
    if (this.#types.has(type)) return this.#types.get(type);
    return String(type).startsWith("dev.cdeventsx.") && this.#schemas.has("custom") ? "custom" : undefined;
  }

  validator(name) {
    const id = this.#schemas.get(name);
    if (id === undefined) throw new Error(`there is no schema ${name}`);
    return this.#ajv.getSchema(id);
  }
}

function escape(member) {
  return member.replaceAll("~", "~0").replaceAll("/", "~1");
}

function faultOf({ instancePath, keyword, params }) {
  const member = { required: params.missingProperty, additionalProperties: params.additionalProperty }[keyword];
  return { path: member === undefined ? instancePath : `${instancePath}/${escape(member)}`, keyword };
}

const refused = (path, keyword) => ({ valid: false, faults: [{ path, keyword }] });

// [release, schema] for the event, or nothing.
function choose(releases, { release, schema }, event) {
  if (release && schema) return [release, schema];
  const context = event?.context ?? {};
  const custom = String(context.type).startsWith("dev.cdeventsx.");
  const customRelease = "specversion" in Object(context) ? "v0.5.1" : "v0.4.1";
  const candidates = release ? [release] : custom ? [customRelease] : RELEASES;
  const found = candidates.find((name) => releases.get(name).schemaOf(context.type));
  return found && [found, schema || releases.get(found).schemaOf(context.type)];
}

function judge(releases, question) {
  let event;
  try {
    event = JSON.parse(question.text);
  } catch {
    return refused("", "json");
  }
  const chosen = choose(releases, question, event);
  if (!chosen) return refused("/context/type", "schema");
  const validate = releases.get(chosen[0]).validator(chosen[1]);
  const valid = validate(event);
  return { valid, faults: (validate.errors ?? []).map(faultOf) };
}

if (process.argv.length !== 3) throw new Error("usage: node oracle.mjs FOLDER < questions > verdicts");
const folder = process.argv[2];
const releases = new Map(RELEASES.map((name) => [name, new Release(folderSchemas(join(folder, name)))]));
const catalogue = readJson(join(folder, "catalogue.json"));
for (const name of CATALOGUE_RELEASES) releases.set(name, new Release(catalogueSchemas(catalogue, name)));
const verdicts = [];
for await (const question of questions()) verdicts.push(JSON.stringify(judge(releases, question)));
answer(verdicts);
