import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { explain, type Register, SCOPES, scopeOption } from '../command.ts'
import type { Context } from '../context.ts'
import { usageError } from '../errors.ts'
import { SKILL_FILE, skillNameOf } from '../import/index.ts'
import { readStdin, readTextFile } from '../input.ts'
import { age, escapeLine, isoTime } from '../output/index.ts'
import { addPutOptions, expectationOf, expiryOf, PUT_NOTE, type PutOptions } from '../write-options.ts'

interface Options extends PutOptions {
  scope: string
  nodeId?: string
}

/** `mesh skill put NAME FILE`, `mesh skill put FOLDER` */
export const registerSkillPut: Register = (parent, act) => {
  const command = parent
    .command('put')
    .summary('put a skill')
    .description('Put a skill: a SKILL.md, from its folder, a file or standard input.')
    .usage('<folder> | <name> <file|folder|-> [options]')
    .argument('<name|folder>', `the name; or a folder with a ${SKILL_FILE}, whose name is the skill's`)
    .argument('[file]', `a file, a folder with a ${SKILL_FILE}, or - for standard input`)
    .addOption(scopeOption(SCOPES, 'mesh'))
    .option('--node-id <name>', 'whom the skill names as its author (default: this node)')
  addPutOptions(command).action(
    act<Options>(async (context, { args: [first = '', file], options }) => {
      const { out, signal, client } = context
      const { scope, nodeId } = options
      const expected = expectationOf(options)
      const { name, content } = file === undefined ? await readFolder(first) : await readNamed(first, file, context)
      const source = nodeId === undefined ? {} : { source_node: nodeId }
      const now = context.seconds()
      const put = { name, content, scope, ...source, ...expiryOf(options, now) }
      const row = await client().putSkill(put, { signal, ...expected })
      if (!hasDescription(content)) {
        out.note(`note: no description in its front matter; OpenClaw passes such a skill over`)
      }
      if (out.json) return void out.document(row)
      const until = row.expires_at === undefined ? '' : `, until ${isoTime(row.expires_at)}`
      out.line(escapeLine(`skill ${row.name} put (${row.source_node}, ${age(row.updated_at, now)}${until})`))
    }),
  )
  explain(
    command,
    ['mesh skill put ./skills/weather', 'mesh skill put weather SKILL.md', 'generate-skill | mesh skill put weather -'],
    [`Of a folder only ${SKILL_FILE} is taken. Many at once: mesh import FOLDER.`, PUT_NOTE],
  )
}

interface Skill {
  readonly name: string
  readonly content: string
}

async function readFolder(path: string): Promise<Skill> {
  const file = await skillFileIn(path)
  if (file === undefined) {
    throw usageError(
      'FILE',
      `${JSON.stringify(path)} is no folder, so it is taken for a name, and FILE is missing`,
      '`mesh skill put NAME FILE`, or: mesh skill put FOLDER',
    )
  }
  return { name: skillNameOf(resolve(file)), content: await readTextFile(file) }
}

async function readNamed(name: string, file: string, { stdin }: Context): Promise<Skill> {
  const content = file === '-' ? await readStdin(stdin) : await readTextFile((await skillFileIn(file)) ?? file)
  return { name, content }
}

/** The SKILL.md of a folder, or the path itself when it is one. */
async function skillFileIn(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory()) return join(path, SKILL_FILE)
  return found !== undefined && skillNameOf(resolve(path)) !== path && path.endsWith(SKILL_FILE) ? path : undefined
}

function hasDescription(content: string): boolean {
  const [, matter] = /^\ufeff?---\r?\n([\s\S]*?)\r?\n---/.exec(content) ?? []
  return matter !== undefined && /^description:/m.test(matter)
}
