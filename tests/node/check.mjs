// Answers every question of a file on its own and compares with what the Rust engine said.
//
// node check.mjs QUESTIONS.json SIGNALS.bin SCRIPT.json
//
// Every difference is a line: what was asked, on what, both answers. The last line counts what was
// compared; the exit is 1 if anything differed.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Conditions, namesOf } from './cel.mjs'
import { scriptOf } from './fold.mjs'
import { Lexicons } from './lexicons.mjs'
import { readSignals } from './signals.mjs'

const SHOWN = 40

const [questionsPath, signalsPath, scriptPath] = process.argv.slice(2)
const { pack, cases, texts } = JSON.parse(readFileSync(questionsPath, 'utf8'))
const bytes = readFileSync(signalsPath)
const script = scriptOf(JSON.parse(readFileSync(scriptPath, 'utf8')))

const differences = []
function compare(what, on, rust, node) {
  const [one, other] = [rust, node].map((answer) => JSON.stringify(answer))
  if (one !== other) differences.push(`${what}: Rust ${one}, Node ${other}, on ${on}`)
}

const digest = createHash('sha256').update(bytes).digest('hex')
compare('digest of the weights', signalsPath, pack.signals, digest)

const lexicons = new Lexicons(pack.lexicons, script, readSignals(bytes, script))
const compared = { conditions: conditions(), texts: heard() }

differences.slice(0, SHOWN).forEach((line) => console.log(line))
if (differences.length > SHOWN) console.log(`and ${differences.length - SHOWN} more`)
console.log(`compared ${compared.conditions} conditions and ${compared.texts} texts`)
process.exitCode = differences.length > 0 ? 1 : 0

/** Every condition on every case of its kind, with the answer that Rust gave. */
function conditions() {
  const engine = new Conditions(lexicons)
  let count = 0
  for (const one of cases) {
    const names = namesOf(one)
    const rules = pack.rules.filter((rule) => rule.when && rule.kinds.includes(one.kind))
    for (const rule of rules) {
      const answer = engine.answer(rule.when, names, rule.params ?? {})
      compare(`rule ${rule.id}`, one.name, one.answers[rule.id], answer)
      count += 1
    }
  }
  return count
}

/** Every text: as the weights read it, the lexicons it mentions, the margins of learned ones. */
function heard() {
  for (const { name, text, plain, mentioned, margins } of texts) {
    const own = lexicons.heard(text)
    compare('levelled text', name, plain, own.plain)
    for (const lexicon of lexicons.list) {
      const said = mentioned.includes(lexicon.name)
      compare(`lexicon ${lexicon.name}`, name, said, own.names.has(lexicon.name))
      const margin = margins[lexicon.name]
      if (margin || lexicon.learned) {
        compare(`margins of ${lexicon.name}`, name, margin, own.margins.get(lexicon.name))
      }
    }
  }
  return texts.length
}
