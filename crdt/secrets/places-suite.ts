/** The places of an entry in which a credential may stand, and the ways in which it may be hidden there. */
import type { JsonValue } from '../entry/index.ts'
import type { Credential, Dice } from './corpus-suite.ts'
import type { ScannedEntry } from './index.ts'

const skill = (content: string): ScannedEntry => ({ kind: 'skill', key: 'deploy', content, path: null })
const memory = (value: JsonValue, key = 'ops/notes'): ScannedEntry => ({
  kind: 'memory',
  key,
  value,
})
const pick = <T>(dice: Dice, ...choices: readonly T[]): T => choices[dice.below(choices.length)] as T

/** As somebody would note it down: with its name where it has one. */
function noted({ text, name }: Credential, dice: Dice): string {
  if (name === undefined) return text
  if (name === 'Authorization') return `${name}: ${text}`
  return name.startsWith('//') || dice.below(2) === 0 ? `${name}=${text}` : `${name}: "${text}"`
}

/** In two to four pieces, each of at least five characters. */
function pieces(text: string, dice: Dice): readonly string[] {
  const count = 2 + dice.below(3)
  const least = Math.min(5, Math.floor(text.length / (count + 1)))
  const cuts = Array.from({ length: count - 1 }, (_, i) => {
    const width = Math.floor(text.length / count)
    return width * (i + 1) + dice.below(Math.max(1, width - least)) - Math.floor((width - least) / 2)
  })
  return [0, ...cuts].map((from, i) => text.slice(from, cuts[i] ?? text.length))
}

/** Broken over lines, in one of the ways of shells, programs, YAML and mail. */
function broken({ text, name }: Credential, dice: Dice): ScannedEntry {
  const parts = pieces(text, dice)
  const sign = name === undefined ? 'note = ' : `${name} = `
  const ways = [
    () => skill(`Set this:\n\n    ${sign}"${parts.join('" +\n      "')}"\n    region = "eu"\n`),
    () => skill(`\`\`\`sh\n${sign.replaceAll(' ', '')}"${parts.join('\\\n')}"\nmake deploy\n\`\`\`\n`),
    () => memory({ script: `${sign}'${parts.join("'\n  '")}'\nexit` }),
    () => memory({ plan: `see\n> ${sign}"${parts.join('\n> ')}"\n> end` }),
    () => memory({ [name ?? 'lines']: { value: `${parts.join('\n')}\n` } }),
  ]
  if (name === undefined) ways.push(() => memory({ parts: [...parts] }))
  return pick(dice, ...ways)()
}

/** An entry that holds the credential, by the place that it stands in. */
export const PLACES: Readonly<Record<string, (credential: Credential, dice: Dice) => ScannedEntry>> = {
  'memory key': (c, dice) => memory(true, pick(dice, `notes/${noted(c, dice)}`, noted(c, dice))),
  'top value': (c, dice) =>
    c.name === undefined
      ? memory(pick(dice, c.text, `Use ${c.text} for the deploy.`))
      : pick(dice, memory(c.text, `services/${c.name}`), memory(noted(c, dice))),
  'nested value': (c, dice) => {
    const inner = { id: 7, [c.name ?? 'note']: c.text }
    return pick(
      dice,
      memory({ config: { list: [1, inner] } }),
      memory({ env: [{ name: c.name ?? 'NOTE', value: c.text }] }),
      memory({ raw: JSON.stringify({ deep: inner }) }),
    )
  },
  'object key': (c, dice) => memory({ seen: { [noted(c, dice)]: 1 } }),
  'skill text': (c, dice) =>
    skill(
      `---\nname: deploy\ndescription: Deploys\n---\n# Deploy\n\nRun it with\n\n    ${noted(c, dice)}\n\nthen wait.\n`,
    ),
  base64: (c, dice) => {
    const encoded = Buffer.from(pick(dice, noted(c, dice), `export X=1\n${noted(c, dice)}\n`)).toString(
      pick(dice, 'base64', 'base64url'),
    )
    const wrapped = encoded.replace(/.{76}/g, '$&\n')
    return pick(dice, memory({ blob: encoded }), skill(`Decode this:\n\n${wrapped}\n`), memory(wrapped))
  },
  'split over lines': broken,
}

/** What makes no sense: a key holds 1 KiB; what is shorter than that counts as it is. */
export const fits = (place: string, { text }: Credential) => place !== 'memory key' || text.length <= 900
