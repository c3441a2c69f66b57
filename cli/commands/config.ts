import { existsSync } from 'node:fs'
import type { ConfigView } from '../../daemon/api/client.ts'
import { explain, type Register } from '../command.ts'
import type { Context } from '../context.ts'
import { askExecutable } from '../daemon-executable.ts'
import { EXIT } from '../exit-codes.ts'
import { failureOf } from '../failure.ts'
import { escapeLine, renderTable } from '../output/index.ts'

/** `mesh config check|show` */
export const registerConfig: Register = (parent, act) => {
  const config = parent
    .command('config')
    .summary('check or show the configuration')
    .description('The configuration: meshd/config.json5 in the home, and MESH_… variables.')
    .helpCommand(false)
    .usage('<command> [options]')
  explain(config, ['mesh config check', 'mesh config show'])

  const check = config
    .command('check')
    .summary('check the file and the environment')
    .description('Check the configuration as a daemon would that starts now, here.')
    .action(
      act(async (context) => {
        const { out, mustBeLocal } = context
        mustBeLocal('the configuration file')
        const view = await askExecutable<ConfigView>(context, '--check-config')
        if (out.json) out.document(view)
        else out.line(describeCheck(view))
      }),
    )
  explain(check, ['mesh config check', 'MESH_API_PORT=5000 mesh config check'])

  const show = config
    .command('show')
    .summary('print what is in force')
    .description('Print every setting that is in force, and where it comes from.')
    .action(
      act(async (context) => {
        const { out } = context
        const view = await inForce(context)
        if (out.json) return void out.document(view)
        const rows = settingsIn(view.config).map(([key, value]) => {
          const source = view.sources[key] ?? 'default'
          const paint = source === 'default' ? out.paint.dim : out.paint.green
          return [{ text: key, paint: out.paint.bold }, escapeLine(JSON.stringify(value)), { text: source, paint }]
        })
        if (!out.forPeople) {
          for (const row of rows) out.line(row.map((cell) => (typeof cell === 'string' ? cell : cell.text)).join('\t'))
          return
        }
        const columns = [{ title: 'SETTING' }, { title: 'VALUE', least: 12 }, { title: 'FROM' }]
        for (const line of renderTable({ columns, rows, width: out.width, paintTitle: out.paint.dim })) out.line(line)
        out.note(out.paintNote.dim(`file: ${escapeLine(view.path)}`))
      }),
    )
  explain(
    show,
    ['mesh config show', 'mesh config show --json'],
    ['Of the daemon that runs; where none does, of the one that would start here.'],
  )
}

function describeCheck({ path, sources }: ConfigView): string {
  const from = (source: string) => Object.values(sources).filter((each) => each === source).length
  const file = existsSync(path) ? `${from('file')} from ${escapeLine(path)}` : `no file ${escapeLine(path)}`
  return `the configuration is good: ${file}, ${from('environment')} from the environment, the rest are defaults`
}

async function inForce(context: Context): Promise<ConfigView> {
  const { client, signal, settings, out } = context
  try {
    return await client().config({ signal })
  } catch (error) {
    if (settings.url !== undefined || failureOf(error).exit !== EXIT.notRunning) throw error
    out.note('no daemon runs; this is what would be in force')
    return askExecutable<ConfigView>(context, '--check-config')
  }
}

/** Settings by their dotted names, in order: `api.port`. */
function settingsIn(config: object, prefix = ''): [key: string, value: unknown][] {
  return Object.entries(config).flatMap(([name, value]: [string, unknown]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? settingsIn(value, `${prefix}${name}.`)
      : [[`${prefix}${name}`, value] as [string, unknown]],
  )
}
