// The lines of standard input, each JSON, and of standard output. Not with node:readline,
// for which U+2028, which JSON leaves raw in a string, ends a line too.
export async function* questions() {
  let rest = "";
  process.stdin.setEncoding("utf8");
  for await (const chunk of process.stdin) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
  if (rest !== "") yield JSON.parse(rest);
}

// All at once, at the end: the process ends by itself when all is written.
export function answer(lines) {
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
}
