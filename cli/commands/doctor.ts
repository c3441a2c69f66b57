import type { Doctor, Finding } from '../../daemon/api/client.ts'
import { explain, type Register } from '../command.ts'
import type { Context } from '../context.ts'
import { askExecutable } from '../daemon-executable.ts'
import { checkHome, checkSocket } from '../doctor/local-checks.ts'
import { EXIT } from '../exit-codes.ts'
import { failureOf } from '../failure.ts'
import { count, escapeLine, type Output } from '../output/index.ts'

const ORDER: readonly Finding['severity'][] = ['error', 'warning', 'info']

/** `mesh doctor` */
export const registerDoctor: Register = (parent, act) => {
  const command = parent
    .command('doctor')
    .summary('find out what is wrong')
    .description('Look for what is wrong, with the daemon and without it, and say how to mend it.')
    .action(
      act(async (context) => {
        const { out } = context
        const findings = (await examine(context)).sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity))
        const ok = findings.every(({ severity }) => severity !== 'error')
        if (out.json) out.document({ ok, findings })
        else tell(findings, out)
        return ok ? EXIT.ok : EXIT.failure
      }),
    )
  explain(
    command,
    ['mesh doctor', "mesh doctor --json | jq -r '.findings[].message'"],
    ['Exit code 1 when an error is among the findings; warnings and infos alone are 0.'],
  )
}

async function examine(context: Context): Promise<Finding[]> {
  const { settings, layout } = context
  const daemon = await askDaemon(context)
  if (settings.url !== undefined) return daemon.findings
  if (daemon.answered) return [...daemon.findings, ...(await checkHome(layout))]
  const local = await Promise.all([checkHome(layout), checkConfig(context), daemon.running ? [] : checkSocket(layout)])
  return [...daemon.findings, ...local.flat()]
}

interface DaemonFindings extends Pick<Doctor, 'findings'> {
  readonly answered: boolean
  /** Whether there is a daemon at all, if only one that does not answer well. */
  readonly running: boolean
}

async function askDaemon({ client, signal }: Context): Promise<DaemonFindings> {
  try {
    const { findings } = await client().doctor({ signal })
    return { findings, answered: true, running: true }
  } catch (error) {
    signal.throwIfAborted()
    const { exit, message, hint } = failureOf(error)
    const running = exit !== EXIT.notRunning
    const checkId = running ? 'daemon.not-answering' : 'daemon.not-running'
    const finding: Finding = { checkId, severity: 'error', message, ...(hint === undefined ? {} : { fixHint: hint }) }
    return { findings: [finding], answered: false, running }
  }
}

async function checkConfig(context: Context): Promise<Finding[]> {
  try {
    await askExecutable(context, '--check-config')
    return []
  } catch (error) {
    context.signal.throwIfAborted()
    const { message, hint } = failureOf(error)
    const path = context.layout.configPath
    return [
      { checkId: 'config.invalid', severity: 'error', message, path, ...(hint === undefined ? {} : { fixHint: hint }) },
    ]
  }
}

function tell(findings: readonly Finding[], { paint, line }: Output): void {
  const marks = { error: paint.red('✗ error  '), warning: paint.yellow('! warning'), info: paint.cyan('· info   ') }
  for (const { checkId, severity, message, path, fixHint } of findings) {
    line(`${marks[severity]}  ${escapeLine(message)}  ${paint.dim(escapeLine(checkId))}`)
    if (path !== undefined) line(`             ${paint.dim(escapeLine(path))}`)
    if (fixHint !== undefined) line(`             ${escapeLine(fixHint)}`)
  }
  const errors = findings.filter(({ severity }) => severity === 'error').length
  if (findings.length === 0) line(`${paint.green('✓')} nothing is wrong`)
  else line(`${count(findings.length, 'finding', 'findings')}, ${count(errors, 'error', 'errors')}`)
}
