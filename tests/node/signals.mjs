// Text signals by learned weights: which groups a text says that its writer did.
//
// Features are numbers made from letters and from classes of words; each has a row of weights, a
// gate and a decider a group. Whole numbers throughout; `Math.imul` and `>>>` keep them at 32 bits.
// The file is described in proto/PROTOCOL.md.

import { CLAUSE_END, isAlphanumeric, levelled, plain } from './fold.mjs'

const HEAD = 'XIANGYI-SIGNALS 1\n'
/** Open and close a clause; no text holds them once it is levelled. */
const OPENS = 2
const CLOSES = 3
/** Sorts of features, as seeds of their numbers. */
const SKIP = 8
const CLASS = 16
const FIRST = 17
/** Limits are in 1/1024 of what a text of this size needs. */
const WHOLE = 1024
const STEP = 16
/** Letters and numbers below which weights are not asked. */
const LETTERS_MIN = 8

/** Reads the file of the weights. */
export function readSignals(bytes, script) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  if (text.decode(bytes.subarray(0, HEAD.length)) !== HEAD) throw new Error('no file of weights')
  const frameAt = HEAD.length + 4
  const numbersAt = frameAt + view.getUint32(HEAD.length, true)
  const frame = JSON.parse(text.decode(bytes.subarray(frameAt, numbersAt)))
  const wide = 2 * frame.groups.length
  const weightsAt = numbersAt + 4 * frame.features
  if (bytes.length !== weightsAt + wide * frame.features) throw new Error('the file has no such length')
  const rows = new Map()
  for (let row = 0; row < frame.features; row += 1) {
    rows.set(view.getUint32(numbersAt + 4 * row, true), row)
  }
  const weights = new Int8Array(bytes.buffer, bytes.byteOffset + weightsAt)
  const { groups, reach } = frame
  return { groups, reach, wide, rows, weights, classes: classesOf(frame.words, script) }
}

/** Words by their plain form, with the number of their class; the later class by name wins. */
function classesOf(byName, script) {
  const numbers = new Map()
  const names = Object.keys(byName).sort()
  for (const name of names) {
    const number = [...name].reduce((all, letter) => mix(all, letter.codePointAt(0)), CLASS)
    for (const word of byName[name]) numbers.set(plain(levelled(word, script)).join(''), number)
  }
  const longest = Math.max(0, ...[...numbers.keys()].map((word) => [...word].length))
  return { numbers, longest }
}

/** Says whether a text is long enough for the weights to be asked. */
export const isStatement = (letters) => letters.filter(isAlphanumeric).length >= LETTERS_MIN

/** By how much the gate and the decider of each group pass their limits, by the group's name. */
export function margins(signals, letters) {
  const sums = new Array(signals.wide).fill(0)
  const seen = new Set()
  let size = 0
  // The first feature of a row counts; letters come before classes.
  const add = (number, counts) => {
    const row = signals.rows.get(settled(number))
    if (row === undefined || seen.has(row)) return
    seen.add(row)
    size += counts
    for (let at = 0; at < signals.wide; at += 1) sums[at] += signals.weights[row * signals.wide + at]
  }
  runs(letters, (number) => add(number, 2))
  words(signals.classes, letters, (number) => add(number, 1))
  const step = Math.min(Math.floor(size / STEP), signals.reach.length - 1)
  const margin = (sum, limit) => sum * WHOLE - limit * signals.reach[step]
  const found = signals.groups.map(({ name, gate, decide }, group) => {
    return [name, [margin(sums[2 * group], gate), margin(sums[2 * group + 1], decide)]]
  })
  return new Map(found)
}

/** Runs of one to three letters and pairs with one letter between, each within its clause. */
function runs(letters, take) {
  for (const clause of clauses(letters)) {
    const codes = [OPENS, ...clause.map((letter) => letter.codePointAt(0)), CLOSES]
    codes.forEach((letter, at) => {
      if (at > 0 && at < codes.length - 1) take(mix(1, letter))
      if (at + 1 < codes.length) take(mix(mix(2, letter), codes[at + 1]))
      if (at + 2 < codes.length) {
        take(mix(mix(mix(3, letter), codes[at + 1]), codes[at + 2]))
        take(mix(mix(SKIP, letter), codes[at + 2]))
      }
    })
  }
}

function clauses(letters) {
  const found = [[]]
  for (const letter of letters) {
    if (letter === CLAUSE_END) found.push([])
    else found.at(-1).push(letter)
  }
  return found.filter((clause) => clause.length > 0)
}

/** Classes of words: alone, first in their clause, two and three in a row. */
function words({ numbers, longest }, letters, take) {
  // The classes of the two words before in the same clause, the nearer one first.
  let before = []
  for (let at = 0; at < letters.length; ) {
    if (letters[at] === CLAUSE_END) before = []
    const length = longestWord(numbers, longest, letters, at)
    if (length === 0) {
      at += 1
      continue
    }
    const own = numbers.get(letters.slice(at, at + length).join(''))
    const [one, two] = before
    take(mix(CLASS, own))
    if (one === undefined) take(mix(FIRST, own))
    else take(mix(mix(FIRST + 1, one), own))
    if (two !== undefined) take(mix(mix(mix(FIRST + 2, two), one), own))
    before = one === undefined ? [own] : [own, one]
    at += length
  }
}

/** The longest word that begins here, as Aho-Corasick's leftmost-longest would find it. */
function longestWord(numbers, longest, letters, at) {
  for (let length = Math.min(longest, letters.length - at); length > 0; length -= 1) {
    if (numbers.has(letters.slice(at, at + length).join(''))) return length
  }
  return 0
}

/** One step of the FNV-1a hash over a code point. */
function mix(all, part) {
  const product = Math.imul(all ^ part, 0x01000193)
  return (product << 5) | (product >>> 27)
}

/** Spreads a number over all its bits (the last step of MurmurHash3). */
function settled(number) {
  number = Math.imul(number ^ (number >>> 16), 0x85ebca6b)
  number = Math.imul(number ^ (number >>> 13), 0xc2b2ae35)
  return (number ^ (number >>> 16)) >>> 0
}
