/** OpenClaw skips a larger SKILL.md (`skills.limits.maxSkillFileBytes`). */
export const OPENCLAW_MAX_SKILL_BYTES = 256_000

const NAME = /^[a-z0-9-]{1,64}$/

/**
 * Why OpenClaw would skip this skill or list it by another name, in words that follow "OpenClaw": or undefined. It
 * looks at the frontmatter's `name` and `description` as a person would write them and is no YAML parser: what it says
 * is advice.
 */
export function skillFault(name: string, content: string): string | undefined {
  const frontmatter = /^\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*$/msy.exec(content)?.[1]
  if (frontmatter === undefined) return 'skips it: SKILL.md does not begin with frontmatter between two lines of ---'
  if (field(frontmatter, 'description') === '') return 'skips it: the frontmatter has no description'
  if (Buffer.byteLength(content) > OPENCLAW_MAX_SKILL_BYTES) {
    return `skips it: SKILL.md is larger than ${OPENCLAW_MAX_SKILL_BYTES} bytes`
  }
  const given = field(frontmatter, 'name')
  if (given === '') return 'asks for a name: the frontmatter has none'
  if (given !== name) return 'lists it by another name: the frontmatter does not have the name of the skill'
  if (!NAME.test(name)) return 'asks for names of at most 64 lower-case letters, digits and hyphens'
  return undefined
}

/**
 * A top-level field as text; of a block or folded value its first line; empty where there is none. The expression
 * takes linear time, for the text comes from peers.
 */
function field(frontmatter: string, name: string): string {
  const found = new RegExp(`^${name}:(.*)\\r?\\n((?:[ \\t]+\\S.*)?)`, 'm').exec(frontmatter)
  const [, same = '', next = ''] = found ?? []
  const value = /^(?:[|>][+-]?)?$/.test(same.trim()) ? next.trim() : same.trim()
  return value.replace(/^(["'])(.*)\1$/, '$2')
}
