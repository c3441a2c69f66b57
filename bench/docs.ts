/**
 * Keeps the figures of a document those of a report, so that nobody types one by hand. What stands between
 * `<!-- bench: NAME -->` and `<!-- /bench -->` is written anew: NAME is `machine`, `bars`, or a question. A question that
 * the report did not ask stays as it is.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { answerMarkdown, barsMarkdown, machineLine } from './markdown.ts'
import type { Answer, DrawnPlot, Report } from './report.ts'
import { svgOf } from './svg.ts'

const SECTION = /(<!-- bench: ([a-z-]+) -->\n)[\s\S]*?(<!-- \/bench -->)/g

export interface DocsInit {
  /** The Markdown file. */
  readonly path: string
  /** Folder for its pictures. */
  readonly pictures: string
}

/**
 * Writes a report into a document, and its pictures beside it. Returns the names of the sections that were written.
 * @throws Error where the document has no such section at all
 */
export async function writeDocs(report: Report, { path, pictures }: DocsInit): Promise<string[]> {
  const text = await readFile(path, 'utf8')
  const written: string[] = []
  const refreshed = text.replace(SECTION, (whole, begin: string, name: string, end: string) => {
    const section = sectionOf(name, report, relative(dirname(path), pictures))
    if (section === undefined) return whole
    written.push(name)
    return `${begin}\n${section}\n\n${end}`
  })
  if (written.length === 0) throw new Error(`${path} has no section for what the report asked`)
  await writePictures(
    pictures,
    report.answers.flatMap(({ plots }) => plots),
  )
  await writeFile(path, refreshed)
  return written
}

/** Writes each plot as `NAME.svg`; the folder is made where it is missing. */
export async function writePictures(folder: string, plots: readonly DrawnPlot[]): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const plot of plots) await writeFile(join(folder, `${plot.name}.svg`), svgOf(plot))
}

function sectionOf(name: string, report: Report, pictures: string): string | undefined {
  if (name === 'machine') return machineLine(report)
  if (name === 'bars') return barsMarkdown(report.answers)
  const answer = report.answers.find((one) => one.name === name)
  if (answer === undefined) return undefined
  // A report may hold some of the questions only: each says of which run it is.
  const measured = `Measured ${report.date.slice(0, 10)} at commit ${report.machine.commit ?? 'unknown'}.`
  return [answerMarkdown(answer), measured, ...answer.plots.map((plot) => picture(plot, pictures))].join('\n\n')
}

const picture = ({ name, title }: Answer['plots'][number], folder: string) => `![${title}](${folder}/${name}.svg)`
