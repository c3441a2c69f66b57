import { execFileSync } from 'node:child_process'
import { findPackageJSON } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { writeDocs, writePictures } from './docs.ts'
import { removeHomes } from './homes/index.ts'
import { markdownOf } from './markdown.ts'
import { parseOptions, UsageError } from './options.ts'
import { QUESTIONS } from './questions.ts'
import { readReport, writeReport, writeText } from './report.ts'
import { runAll } from './run.ts'

const HELP = `Usage: npm run bench -- [options]

Measures how fast and how large things are, and says which bars are met. Tables go to stdout; they, pictures and
every single run also to files beside the JSON.

  --small        within five minutes; the default
  --full         at full size: about 35 minutes, 6 GB of disk and 8 GB of memory
  --tiny         only shows that everything runs: the figures mean nothing
  --only NAME    this question alone; may be given more than once
  --json FILE    where the JSON goes (default: bench/results/latest.json)
  --fresh        make the homes with many entries anew, which are kept in the temporary folder from run to run
  --write-docs   measure nothing: write the JSON of the last run into docs/performance.md, with its pictures
  --list         print the questions and stop
  --help         print this and stop

Everything is measured in temporary folders on the disk of TMPDIR. Ends with 1 when a question fails, 2 for wrong use.
A bar that is missed is said and changes nothing else.
`

/** What is built lies elsewhere than the source. */
const ROOT = pathToFileURL(findPackageJSON(import.meta.url) ?? '')
const LATEST = fileURLToPath(new URL('bench/results/latest.json', ROOT))
const DOCS = {
  path: fileURLToPath(new URL('docs/performance.md', ROOT)),
  pictures: fileURLToPath(new URL('docs/performance', ROOT)),
}
const FORMATTER = fileURLToPath(import.meta.resolve('@biomejs/biome/bin/biome'))

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
  const { help, list, fresh, writeDocs: docs, size, questions, json = LATEST } = parseOptions(args, QUESTIONS)
  if (help) return console.log(HELP)
  if (list) return console.log(QUESTIONS.map(({ name, asks }) => `${name}: ${asks}`).join('\n'))
  if (docs) {
    console.log(`written: ${(await writeDocs(await readReport(json), DOCS)).join(', ')}`)
    execFileSync(process.execPath, [FORMATTER, 'format', '--write', DOCS.path], { stdio: 'inherit' })
    return
  }
  if (fresh) await removeHomes()
  const report = await runAll(questions, size, { say: console.error, keep: (partial) => writeReport(json, partial) })
  const markdown = markdownOf(report)
  await writeText(json.replace(/(\.json)?$/, '.md'), `${markdown}\n`)
  await writePictures(
    join(dirname(json), 'pictures'),
    report.answers.flatMap(({ plots }) => plots),
  )
  console.log(markdown)
  console.error(`every single run: ${json}`)
  if (report.failures.length > 0) process.exitCode = 1
}
