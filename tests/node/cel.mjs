// Conditions as the phone runs them: cel-js, whole numbers as BigInt, and the three functions.
//
// The record comes completed, so an absent member is null and never an error. A condition that
// throws, or gives anything but true or false, has failed: the answer is 'fault'.

import { Environment } from '@marcbachmann/cel-js'
import { isAlphanumeric } from './fold.mjs'

/** Letters below which a text is a remark and repeats nothing. */
const LETTERS_MIN = 6
const VARIABLES = { record: 'dyn', before: 'dyn', at: 'dyn', params: 'dyn' }
const WORDS = { kind: 'string', op: 'string', unit: 'string' }

export class Conditions {
  constructor(lexicons) {
    this.programs = new Map()
    // Lists of conditions mix words with null.
    this.environment = new Environment({ homogeneousAggregateLiterals: false })
    for (const [name, type] of Object.entries({ ...VARIABLES, ...WORDS })) {
      this.environment.registerVariable(name, type)
    }
    const functions = {
      'mentions(dyn, dyn): bool': (text, name) => lexicons.mentions(text, name),
      'region_within(dyn, dyn): bool': regionWithin,
      'repeats(dyn): int': (text) => BigInt(repeats(text)),
    }
    for (const [signature, run] of Object.entries(functions)) {
      this.environment.registerFunction(signature, run)
    }
  }

  /** true, false, or 'fault'. What does not parse throws. */
  answer(condition, question, params) {
    if (!this.programs.has(condition)) {
      this.programs.set(condition, this.environment.parse(condition))
    }
    const names = { ...question, params: celValue(params) }
    try {
      const answer = this.programs.get(condition)(names)
      return typeof answer === 'boolean' ? answer : 'fault'
    } catch {
      return 'fault'
    }
  }
}

/** What conditions see of a question. */
export function namesOf({ kind, op, unit, at, record, before }) {
  const [seen, was, times] = [record, before, at].map(celValue)
  return { kind, op, unit, at: times, record: seen, before: was }
}

/** A value of JSON as CEL has it: whole numbers are int, and int is BigInt. */
function celValue(value) {
  if (Array.isArray(value)) return value.map(celValue)
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, celValue(one)]))
  }
  if (typeof value !== 'number' || !Number.isInteger(value)) return value
  if (!Number.isSafeInteger(value)) throw new Error(`JSON.parse may have rounded ${value}`)
  return BigInt(value)
}

/** Says whether a code lies inside the region of a prefix, or is it. */
function regionWithin(code, prefix) {
  if (typeof code !== 'string' || typeof prefix !== 'string') return false
  return /^([0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12})$/.test(prefix) && code.startsWith(prefix)
}

/** The share of neighbouring letters of a text that occurred before, in percent. */
function repeats(text) {
  if (typeof text !== 'string') return 0
  const letters = [...text].filter(isAlphanumeric)
  if (letters.length < LETTERS_MIN) return 0
  const pairs = letters.slice(1).map((letter, at) => letters[at] + letter)
  return Math.floor(((pairs.length - new Set(pairs).size) * 100) / pairs.length)
}
