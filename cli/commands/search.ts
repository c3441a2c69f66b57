import type { SearchAnswer, SearchInit } from '../../daemon/api/client.ts'
import { explain, type Register, scopeOption } from '../command.ts'
import { count, escapeLine, type Output } from '../output/index.ts'
import { readLimit } from './ls.ts'

interface Options {
  scope?: string
  prefix?: string
  limit?: number
  skill?: true
  memory?: true
}

type Result = SearchAnswer['results'][0]

/** `mesh search WORDS` */
export const registerSearch: Register = (parent, act) => {
  const command = parent
    .command('search')
    .summary('find words in memory and skills')
    .description('Find entries by the words in their keys, names, values and texts, the best first.')
    .argument('<words...>', 'all of these; "a phrase", beginning*, -not')
    .addOption(scopeOption('only this scope'))
    .option('--prefix <text>', 'only keys and names that begin with this')
    .option('--memory', 'only memory')
    .option('--skill', 'only skills')
    .option('-n, --limit <number>', 'at most so many, up to 100 (default: 25)', readLimit)
    .action(
      act<Options>(async ({ out, signal, client }, { args, options }) => {
        const { results, complete } = await client().search(queryOf(args as unknown as [string[]], options), { signal })
        if (out.json) return void out.document({ results, complete })
        for (const result of results) {
          if (out.forPeople) for (const line of shown(result, out)) out.line(line)
          else out.line(tabbed(result))
        }
        if (!complete) out.note('the search index is being made: there may be more')
        if (!out.forPeople) return
        out.note(results.length === 0 ? 'nothing found' : out.paintNote.dim(count(results.length, 'entry', 'entries')))
      }),
    )
  explain(
    command,
    [
      'mesh search deadline',
      'mesh search \'"ship it" -draft\'',
      "mesh search 'dead*' --scope mesh",
      'mesh search deploy --skill',
    ],
    [
      'Into a file or pipe: a line an entry, tabs between memory or skill, scope, key or name, and snippet.',
      'A put is found a moment after it. docs/search.md tells what is a word.',
    ],
  )
}

function queryOf([words]: [string[]], { scope, prefix, limit, skill, memory }: Options): SearchInit {
  const kind = skill === memory ? undefined : skill ? 'skill' : 'memory'
  return { q: words.join(' '), scope, prefix, limit, kind }
}

function shown({ kind, scope, key, snippet, marks }: Result, { paint }: Output): string[] {
  const what = kind === 'skill' ? paint.dim(' skill') : ''
  let at = 0
  let text = ''
  for (const [start = 0, end = 0] of marks) {
    text += escapeLine(snippet.slice(at, start)) + paint.bold(escapeLine(snippet.slice(start, end)))
    at = end
  }
  return [`${paint.green(escapeLine(`${scope}/${key}`))}${what}`, `  ${text}${escapeLine(snippet.slice(at))}`]
}

function tabbed({ kind, scope, key, snippet }: Result): string {
  return [kind, scope, key, snippet].map(escapeLine).join('\t')
}
