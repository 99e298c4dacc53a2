// Validates an AsyncAPI document against its specification: node scripts/validate_asyncapi.mjs
// asyncapi.yaml. Owns nothing; that the document agrees with code and Protobuf is a Python test.
// Called by `make schemas-lint`. Exits 1 on any error or warning, with the place of each.
import { readFile } from "node:fs/promises";
import { DiagnosticSeverity, Parser } from "@asyncapi/parser";

const path = process.argv[2];
if (!path) {
  console.error("usage: node scripts/validate_asyncapi.mjs asyncapi.yaml");
  process.exit(2);
}

const { document, diagnostics } = await new Parser().parse(await readFile(path, "utf8"), {
  source: path,
});
const found = diagnostics.filter((it) => it.severity <= DiagnosticSeverity.Warning);
for (const it of found) {
  const { line, character } = it.range.start;
  console.error(`${path}:${line + 1}:${character + 1} ${it.code}: ${it.message}`);
}
if (!document || found.length > 0) {
  process.exit(1);
}
const count = document.channels().all().length;
console.log(`${path}: valid AsyncAPI ${document.version()}, ${count} channels`);
