// Folding a text before phrases are looked for in it, and before the weights read it.
//
// Width, case, script and inserted symbols are levelled; a clause ends in a line feed. A text is
// handled as a list of code points, never of UTF-16 units. What a phrase means is not decided here.

export const CLAUSE_END = '\n'

/** As they are once decomposed: `，；！？` are ASCII by then, and `…` is three full stops. */
const CLAUSE_ENDS = new Set('。,;!?\n\r')
const KEPT = new Set('、:')
const LETTER_OR_NUMBER = /^[\p{Alphabetic}\p{N}]$/u

/** Letters and numbers, as `repeats` and levelling count them. */
export const isAlphanumeric = (letter) => LETTER_OR_NUMBER.test(letter)

/** The table of characters: rows of pairs, the traditional one first. */
export function scriptOf(rows) {
  const letters = [...rows.join('')]
  if (letters.length % 2 !== 0) throw new Error('the table of characters has a half pair')
  const table = new Map()
  for (let at = 0; at < letters.length; at += 2) table.set(letters[at], letters[at + 1])
  return table
}

/** The text with width, case, script and inserted symbols levelled, as a list of code points. */
export function levelled(text, script) {
  const level = []
  const simplified = (letter) => script.get(letter) ?? letter
  for (const letter of text) {
    if (letter >= '\u4e00' && letter <= '\u9fff') {
      level.push(simplified(letter))
    } else {
      // Each code point alone, so that nothing is composed or reordered.
      for (const part of letter.normalize('NFKD')) push(level, simplified(part))
    }
  }
  return level
}

function push(level, letter) {
  if (CLAUSE_ENDS.has(letter)) level.push(CLAUSE_END)
  else if (KEPT.has(letter)) level.push(letter)
  else if (isAlphanumeric(letter)) level.push(...letter.toLowerCase())
}

/** The text as phrases are looked for in it: levelled, particles inside phrases dropped. */
export function folded(level) {
  let text = ''
  for (let at = 0; at < level.length; ) {
    const skipped = particle(level, at)
    if (skipped === 0) text += level[at]
    at += Math.max(skipped, 1)
  }
  return text
}

/** How many code points a particle takes here; 0 where none stands. */
function particle(level, at) {
  const before = level[at - 1] ?? CLAUSE_END
  const after = level[at + 1] ?? CLAUSE_END
  switch (level[at]) {
    case '了':
      return !'为除'.includes(before) && !'解结然断如'.includes(after) ? 1 : 0
    case '过':
      return !'通经超难不路'.includes(before) && !'程去年户期敏渡度'.includes(after) ? 1 : 0
    case '的':
      return before !== '目' && !'确士'.includes(after) ? 1 : 0
    case '一':
      return after === '下' && level[at + 2] !== '午' ? 2 : 0
    default:
      return 0
  }
}

/** The text as the weights read it: levelled, particles kept, every digit the same. */
export const plain = (level) => level.map((letter) => (/^[0-9]$/.test(letter) ? '0' : letter))
