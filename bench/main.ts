import { fileURLToPath } from 'node:url'
import { markdownOf } from './markdown.ts'
import { parseOptions, UsageError } from './options.ts'
import { QUESTIONS } from './questions.ts'
import { writeReport } from './report.ts'
import { runAll } from './run.ts'

const HELP = `Usage: npm run bench -- [options]

Measures how fast and how large things are. Tables go to stdout, every single run to a JSON file.

  --small        a few minutes in all; the default
  --full         at full size
  --tiny         only shows that everything runs: the figures mean nothing
  --only NAME    this question alone; may be given more than once
  --json FILE    where the JSON goes (default: bench/results/latest.json)
  --list         print the questions and stop
  --help         print this and stop

Everything is measured in temporary folders on the disk of TMPDIR. Ends with 1 when a question fails, 2 for wrong use.
`

const LATEST = fileURLToPath(new URL('./results/latest.json', import.meta.url))

// By an exit, so that daemons and folders do not stay behind.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`${error.message}\n\n${HELP}`)
  process.exitCode = 2
}

async function main(args: readonly string[]): Promise<void> {
  const { help, list, size, questions, json = LATEST } = parseOptions(args, QUESTIONS)
  if (help) return console.log(HELP)
  if (list) return console.log(QUESTIONS.map(({ name, asks }) => `${name}: ${asks}`).join('\n'))
  const report = await runAll(questions, size, console.error)
  await writeReport(json, report)
  console.log(markdownOf(report))
  console.error(`every single run: ${json}`)
  if (report.failures.length > 0) process.exitCode = 1
}
