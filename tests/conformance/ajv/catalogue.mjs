// JSON Schemas of releases whose own files are not at hand, made from the rows of
// catalogue.json: `versions[release]` has for each event its context, subject and content
// as one row a member, and link_schemas and custom_schema as they were published.
//
//   for (const [name, schema] of catalogueSchemas(catalogue, "0.6.0-draft")) ...
//
// The names are those of the files of other releases: "pipelinerunfinished",
// "links/linkend", "custom".
//
// 0.4.0 is what a receiver has to make of it: its links accept nothing as published, and
// its producers are those of 0.4.1. So context and links are those of 0.4.1, and the
// context has `chain_id` besides.

const CUSTOM_DATA = { oneOf: [{ type: "object" }, { type: "string", contentEncoding: "base64" }] };

// The schema of one member, by its row. Of open enums the rows do not say that one text may
// not be empty: the resolution of tickets (v0.5.1/schemas/ticketclosed.json).
function member(row) {
  if (row.$ref) return { $ref: row.$ref };
  const minLength = row.path === "resolution" ? 1 : row.minLength;
  const text = { type: "string", ...(minLength && { minLength }) };
  if (row.open_enum) return { anyOf: [{ type: "string", enum: row.open_enum }, text] };
  if (row.type === "array") return { type: "array", items: { type: row.items } };
  if (row.type === "object") return object(row.additionalProperties === true);
  return { ...text, ...(row.format && { format: row.format }), ...(row.enum && { enum: row.enum }) };
}

function object(open) {
  return { type: "object", properties: {}, required: [], ...(!open && { additionalProperties: false }) };
}

function add(parent, name, row) {
  parent.properties[name] = member(row);
  if (row.required) parent.required.push(name);
}

function objectOf(members) {
  const made = object(false);
  for (const [name, row] of Object.entries(members)) add(made, name, row);
  return made;
}

// Rows have paths, "testCase.id", each behind that of the object it is in.
function contentOf(rows) {
  const content = object(false);
  for (const row of rows) {
    const steps = row.path.split(".");
    const name = steps.pop();
    add(steps.reduce((parent, step) => parent.properties[step], content), name, row);
  }
  return content;
}

function eventSchema(id, event, context) {
  const subject = objectOf(event.subject);
  subject.properties.content = contentOf(event.content);
  subject.required = event.subject_required;
  const root = object(false);
  root.properties = {
    context: objectOf(context),
    subject,
    customData: CUSTOM_DATA,
    customDataContentType: { type: "string" },
  };
  return { $id: id, ...root, required: ["context", "subject"] };
}

function contextOf(catalogue, release, name) {
  if (release !== "v0.4.0") return catalogue.versions[release].events[name].context;
  const { chain_id } = catalogue.versions[release].events["build.queued"].context;
  return { ...catalogue.versions["v0.4.1"].events[name].context, chain_id };
}

export function catalogueSchemas(catalogue, release) {
  const base = release === "v0.4.0" ? "v0.4.1" : release;
  const folder = `https://cdevents.dev/${base.replace("v", "")}/schema`;
  const schemas = Object.entries(catalogue.versions[release].events).map(([name, event]) => [
    name.replace(".", ""),
    eventSchema(`${folder}/${name}-event`, event, contextOf(catalogue, release, name)),
  ]);
  const { link_schemas: links, custom_schema: custom } = catalogue.versions[base];
  for (const [name, schema] of Object.entries(links)) schemas.push([`links/${name}`, schema]);
  schemas.push(["custom", custom]);
  return schemas;
}
