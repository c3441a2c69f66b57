/** Shortest run of letters, digits, `+`, `/`, `-` and `_` that is told: the shortest that hides something in base64. */
export const MIN_RUN = 23

/** What stands in a text. Empty lists where there is nothing. */
export interface Marks {
  /** Pairs: the number of a word, and where it begins. In the order in which they end. */
  readonly words: readonly number[]
  /** Pairs: where an unbroken run of the characters of base64 and base64url begins and ends. */
  readonly runs: readonly number[]
}

/** Finds all words at once, in a single pass, upper and lower case alike. */
export type Finder = (text: string) => Marks

/**
 * Makes the automaton of Aho and Corasick (Efficient string matching, CACM 18, 1975) for words of ASCII, with every
 * transition filled in: one look-up a character, whatever the text. States at which a word ends come last, so that one
 * comparison tells them.
 */
export function createFinder(words: readonly string[]): Finder {
  const { classes, width, firstOfRuns } = classify(words)
  const { next, ends, firstEnd } = automaton(words, classes, width)
  return (text) => {
    const found: number[] = []
    const runs: number[] = []
    let state = 0
    let runStart = -1
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      const letter = code < 128 ? (classes[code] as number) : 0
      state = next[state + letter] as number
      if (state >= firstEnd) {
        for (const word of ends.get(state) as readonly number[]) {
          found.push(word, i + 1 - (words[word] as string).length)
        }
      }
      if (letter >= firstOfRuns) {
        if (runStart < 0) runStart = i
      } else if (runStart >= 0) {
        if (i - runStart >= MIN_RUN) runs.push(runStart, i)
        runStart = -1
      }
    }
    if (runStart >= 0 && text.length - runStart >= MIN_RUN) runs.push(runStart, text.length)
    return { words: found, runs }
  }
}

/** Numbers the characters that words hold: 0 is every other, and those that make runs come last. */
function classify(words: readonly string[]) {
  const used = new Set(words.join('').toLowerCase())
  const inRuns = (character: string) => /[a-z0-9+/_-]/.test(character)
  const others = [...used].filter((character) => !inRuns(character))
  const firstOfRuns = others.length + 1
  // The first of the runs' classes is for those that no word holds.
  const order = ['', ...others, '', ...[...used].filter(inRuns)]
  const classes = new Uint8Array(128)
  for (let code = 0; code < 128; code++) {
    const character = String.fromCharCode(code).toLowerCase()
    const at = order.indexOf(character)
    classes[code] = at > 0 ? at : inRuns(character) ? firstOfRuns : 0
  }
  return { classes, width: order.length, firstOfRuns }
}

interface Node {
  readonly children: Map<number, Node>
  ends: number[]
  /** The state of the longest proper ending of what led here. */
  fallback: Node | undefined
  state: number
}

function automaton(words: readonly string[], classes: Uint8Array, width: number) {
  const newNode = (): Node => ({ children: new Map(), ends: [], fallback: undefined, state: 0 })
  const root = newNode()
  words.forEach((word, index) => {
    let node = root
    for (const character of word) {
      const letter = classes[character.charCodeAt(0)] as number
      const child = node.children.get(letter) ?? newNode()
      node.children.set(letter, child)
      node = child
    }
    node.ends.push(index)
  })
  const nodes = linked(root)
  const sorted = [...nodes.filter(({ ends }) => ends.length === 0), ...nodes.filter(({ ends }) => ends.length > 0)]
  sorted.forEach((node, index) => {
    node.state = index * width
  })
  const next = new Int32Array(sorted.length * width)
  // Nearer ones first, so that those that are fallen back to are complete.
  for (const node of nodes) {
    const { state, fallback, children } = node
    if (fallback !== undefined) next.copyWithin(state, fallback.state, fallback.state + width)
    for (const [letter, child] of children) next[state + letter] = child.state
  }
  const ends = new Map(sorted.filter((node) => node.ends.length > 0).map((node) => [node.state, node.ends]))
  return { next, ends, firstEnd: (sorted.length - ends.size) * width }
}

/** Gives every node its fallback, and with it the words that end there as well. Returns all, by their depth. */
function linked(root: Node): readonly Node[] {
  const nodes = [root]
  for (const node of nodes) {
    for (const [letter, child] of node.children) {
      let back = node.fallback
      while (back !== undefined && !back.children.has(letter)) back = back.fallback
      child.fallback = back?.children.get(letter) ?? root
      child.ends = [...child.ends, ...child.fallback.ends]
      nodes.push(child)
    }
  }
  return nodes
}
