import { credentialKind } from './names.ts'
import { entropyOf, isPlaceholder, isWordy, looksSecret, type Standing } from './plausible.ts'
import { FIELD_RULES, NAMED_RULES } from './rules/index.ts'

/** What is told of a rule. */
export interface RuleHead {
  readonly id: string
  readonly name: string
}

/** The rule by which a value is a credential because of its name, given as `normalName` makes it. */
export type NamedValueJudge = (name: string, value: string, standing: Standing) => RuleHead | undefined

export function createNamedValueJudge(): NamedValueJudge {
  const rules = NAMED_RULES.map((rule) => ({ ...rule, value: new RegExp(`^(?:${rule.value.source})$`) }))
  return (name, value, standing) => {
    for (const rule of rules) {
      if (!rule.names.test(name) || !rule.value.test(value)) continue
      const credential = value.slice(value.lastIndexOf(' ') + 1)
      if (entropyOf(credential) >= (rule.minEntropy ?? 3) && !isPlaceholder(value) && !isWordy(credential)) return rule
    }
    const kind = credentialKind(name)
    return kind !== undefined && looksSecret(value, kind, standing) ? FIELD_RULES[kind] : undefined
  }
}
