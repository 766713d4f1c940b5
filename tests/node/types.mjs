// Generates TypeScript types from an OpenAPI document and type-checks clients against them.
//
// node types.mjs OPENAPI.json CLIENT.ts...
//
// Every fault is a line: place, code of the compiler, words. The last line counts what was read;
// the exit is 1 if anything was wrong. Nothing is written and nothing is fetched.

import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import openapiTS, { astToString } from 'openapi-typescript'
import ts from 'typescript'

const here = dirname(fileURLToPath(import.meta.url))
const [documentPath, ...clients] = process.argv.slice(2)
const document = JSON.parse(readFileSync(documentPath, 'utf8'))
const declared = astToString(await openapiTS(document, { silent: true, excludeDeprecated: false }))

const typesPath = join(here, 'openapi.d.ts')
const options = {
  strict: true,
  noEmit: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: true,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
  types: [],
}
// Clients are read as if they stood here, beside the generated types and what is installed.
const placed = new Map(clients.map((path, at) => [
  join(here, `client-${at}.ts`),
  readFileSync(resolve(path), 'utf8'),
]))
placed.set(typesPath, declared)

const host = ts.createCompilerHost(options)
const { fileExists, readFile, getSourceFile } = host
host.fileExists = (path) => placed.has(path) || fileExists(path)
host.readFile = (path) => placed.get(path) ?? readFile(path)
host.getSourceFile = (path, ...rest) => placed.has(path)
  ? ts.createSourceFile(path, placed.get(path), ts.ScriptTarget.ES2022, true)
  : getSourceFile(path, ...rest)

const program = ts.createProgram([...placed.keys()], options, host)
const faults = ts.getPreEmitDiagnostics(program)
for (const fault of faults) console.log(told(fault))
const schemas = Object.keys(document.components?.schemas ?? {}).length
const routes = Object.values(document.paths ?? {}).flatMap((path) => Object.keys(path)).length
console.log(`checked ${clients.length} clients against ${routes} routes and ${schemas} schemas`)
process.exitCode = faults.length > 0 ? 1 : 0

function told(fault) {
  const words = ts.flattenDiagnosticMessageText(fault.messageText, ' ')
  if (!fault.file) return `TS${fault.code} ${words}`
  const { line } = fault.file.getLineAndCharacterOfPosition(fault.start)
  const at = /client-(\d+)\.ts$/.exec(fault.file.fileName)
  const name = at ? clients[at[1]] : fault.file.fileName.slice(here.length + 1)
  return `${name}:${line + 1} TS${fault.code} ${words}`
}
