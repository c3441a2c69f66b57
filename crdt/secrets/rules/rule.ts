/**
 * A credential that is known by how it begins, wherever it stands.
 *
 * Patterns are made so that no input costs much: they are tried only where one of `starts` stands, never repeat a
 * repetition, and look at no more than some hundred characters.
 */
export interface TokenRule {
  /** Stable: it is told to people, stands in docs/secrets.md, and goes into fingerprints. */
  readonly id: string
  /** What it finds, in words. */
  readonly name: string
  /** Who documents the format. */
  readonly source: string
  /**
   * Literal texts of which one begins every match; upper and lower case are the same here, not in the pattern. `run`
   * instead: the beginning of each unbroken run of at least 23 letters, digits, `+`, `/`, `-` and `_`, and what follows such a sign in it.
   */
  readonly starts: readonly string[] | 'run'
  /** The whole credential, from its start. Group 1, where there is one, is the random part of it. */
  readonly pattern: RegExp
  /** Least Shannon entropy of the random part, in bits a character; what is below is made up. 3 unless said. */
  readonly minEntropy?: number
  /** What the whole credential looks like when it is a false alarm, beside the placeholders that hold for all rules. */
  readonly except?: RegExp
  /**
   * What may come right behind it: no letter or digit unless said; for `strict` none of `+`, `/`, `=`, `-` and `_`
   * either; for `open` anything, as the pattern takes only the beginning.
   */
  readonly end?: 'strict' | 'open'
  /** One character may be repeated many times in it, as in keys in DER, where elsewhere that tells a placeholder. */
  readonly mayRepeat?: boolean
  /** Letters and digits may stand right before it: it is recognised by more than a short prefix. */
  readonly glued?: boolean
}

/** A credential that is known by the name that it stands under: `HEROKU_API_KEY=…`, `{"heroku":{"apiKey":"…"}}`. */
export interface NamedRule {
  readonly id: string
  readonly name: string
  readonly source: string
  /** Looked for in the name with those of the objects around it, as `heroku_api_key`. */
  readonly names: RegExp
  /** The whole value. */
  readonly value: RegExp
  /** As {@link TokenRule.minEntropy}. */
  readonly minEntropy?: number
}
