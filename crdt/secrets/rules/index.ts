/**
 * The rules by which credentials are known, as data: one list for every way in and out. Whoever adds one adds a row to
 * docs/secrets.md, and a maker of such credentials to `corpus-suite.ts`; tests ask for both.
 */
import { AI_RULES } from './ai.ts'
import { CLOUD_RULES } from './cloud.ts'
import { CODE_RULES } from './code.ts'
import { KEY_RULES } from './keys.ts'
import { FIELD_RULES, NAMED_RULES } from './named.ts'
import type { TokenRule } from './rule.ts'
import { SERVICE_RULES } from './services.ts'

export type { NamedRule, TokenRule } from './rule.ts'
export { FIELD_RULES, NAMED_RULES }

/** Rules that begin with the same text are tried in this order; of others the one whose text ends first. */
export const TOKEN_RULES: readonly TokenRule[] = [
  ...AI_RULES,
  ...CODE_RULES,
  ...CLOUD_RULES,
  ...SERVICE_RULES,
  ...KEY_RULES,
]
