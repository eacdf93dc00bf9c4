// The verdicts of ajv-formats on texts.
//
//   node formats.mjs < questions > verdicts
//
// A question is a line {"format":"uri","text":"https://example.com"}, a verdict a line
// "true" or "false"; formats are those of the mode "full".
import { fullFormats } from "ajv-formats/dist/formats.js";
import { answer, questions } from "./lines.mjs";

function accepts(format, text) {
  if (format instanceof RegExp) return format.test(text);
  return typeof format === "function" ? format(text) : format.validate(text);
}

const verdicts = [];
for await (const { format, text } of questions()) {
  if (!(format in fullFormats)) throw new Error(`there is no format ${format}`);
  verdicts.push(accepts(fullFormats[format], text));
}
answer(verdicts);
