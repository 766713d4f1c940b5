// Lexicons of a pack: phrases with their markers, and learned weights for those that have them.
//
// A lexicon is mentioned where one of its phrases stands in a clause that no marker of the same
// lexicon opens before it; a learned one also where both its margins are positive, in a text that is
// more than a remark.

import { CLAUSE_END, folded, levelled, plain } from './fold.mjs'
import { isStatement, margins } from './signals.mjs'

export class Lexicons {
  constructor(docs, script, signals) {
    const fold = (phrases = []) => phrases.map((phrase) => folded(levelled(phrase, script)))
    this.script = script
    this.signals = signals
    this.list = Object.entries(docs).map(([name, doc]) => ({
      name,
      learned: doc.learned === true,
      acts: fold(doc.acts),
      markers: fold(doc.not_when),
    }))
  }

  /** The names that a text mentions, and how the learned ones were decided. */
  heard(text) {
    const level = levelled(text, this.script)
    const [forPhrases, forWeights] = [folded(level), plain(level)]
    const asked = isStatement(forWeights)
    const decided = margins(this.signals, forWeights)
    const mentioned = this.list.filter(({ name, learned, acts, markers }) => {
      const said = asked && learned && decided.get(name)?.every((margin) => margin > 0)
      return said || states(forPhrases, acts, markers)
    })
    const names = new Set(mentioned.map(({ name }) => name))
    return { plain: forWeights.join(''), names, margins: decided }
  }

  /** The function that conditions call. */
  mentions(text, name) {
    return typeof text === 'string' && this.heard(text).names.has(name)
  }
}

/** Says whether an act stands in the text with no marker before it in its clause. */
function states(text, acts, markers) {
  return acts.some((act) => {
    return places(text, act).some((at) => {
      const clause = text.slice(0, at).lastIndexOf(CLAUSE_END) + 1
      // A marker begins before the act, and may reach into it.
      const begins = (marker) => places(text, marker).some((own) => clause <= own && own < at)
      return !markers.some(begins)
    })
  })
}

function places(text, phrase) {
  const found = []
  for (let at = text.indexOf(phrase); at >= 0; at = text.indexOf(phrase, at + 1)) found.push(at)
  return found
}
